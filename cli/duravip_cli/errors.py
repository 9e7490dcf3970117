"""What ends a verb early: one line for the user, and the exit code."""

from enum import IntEnum


class Code(IntEnum):
    """How the program ends."""

    FINE = 0
    PROBLEM = 1
    """Problems were found, or what was asked for was refused."""
    UNUSABLE = 2
    """The command line makes no sense, or the cluster cannot be asked."""


class CommandError(Exception):
    """The verb cannot go on; the message is one line."""

    def __init__(self, message: str, code: Code = Code.PROBLEM) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code
