"""What the lab raises when the world refuses."""


class LabError(Exception):
    """Something cannot be done. The message says in one line what, and why."""
