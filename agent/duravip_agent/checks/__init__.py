"""Checks of whether this node is fit: a process that makes them, and the agent's end of it."""
