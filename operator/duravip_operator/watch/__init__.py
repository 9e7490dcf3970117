"""Reads the API server: informers, the periodic relist, kopf, and the store they feed."""
