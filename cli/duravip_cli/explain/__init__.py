"""The operator's election, run here on the snapshot that the API server's objects allow."""
