"""Mutation tests: a guard that no test misses is a guard that nobody keeps."""
