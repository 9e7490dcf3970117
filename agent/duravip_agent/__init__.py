"""The agent: plumbs what its node is granted, announces it and reports what it serves."""
