"""The error that ends a verb early, and the exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The program's exit code."""

    OK = 0
    PROBLEM = 1
    """Problems were found, or the request was refused."""
    USAGE = 2
    """Wrong usage, or the cluster cannot be reached."""


class CommandError(Exception):
    """The verb cannot go on; the message is one line for the user."""

    def __init__(self, message: str, code: ExitCode = ExitCode.PROBLEM) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code
