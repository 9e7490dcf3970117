"""The way to the control plane: the API server, and heartbeats with the operator."""
