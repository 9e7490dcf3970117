"""Manifests: reading them, and checking them as the API server and the operator would."""
