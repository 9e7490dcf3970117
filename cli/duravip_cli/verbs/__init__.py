"""The verbs: each asks the cluster, has its core work it out, and prints."""
