"""What both programs and the command line run on: API access, HTTP, keys, logs and settings."""
