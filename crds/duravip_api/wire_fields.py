"""The types that a field of a datagram may have, each with its range.

Who signs a datagram may still lie, or be of another version: every value is checked before it is
used. `read` gives back the value as it is used, or raises ValueError.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

HIGHEST = 2**63 - 1
"""What the API server can store in an integer."""


class FieldType(Protocol):
    """What all of them can do."""

    def read(self, value: Any) -> Any:
        """The checked value; raises ValueError."""


@dataclass(frozen=True, slots=True)
class Text:
    """Printable characters: what is logged or shown must not move a terminal's cursor."""

    longest: int
    shortest: int = 1

    def read(self, value: Any) -> str:
        """See `FieldType`."""
        if not isinstance(value, str) or not self.shortest <= len(value) <= self.longest:
            raise ValueError(f"no text of {self.shortest} to {self.longest} characters")
        if not value.isprintable():
            raise ValueError("a character that cannot be printed")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: Collection[str]

    def read(self, value: Any) -> str:
        """See `FieldType`."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(f"none of {', '.join(sorted(self.words))}")
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number; True and False are none."""

    lowest: int = 0
    highest: int = HIGHEST

    def read(self, value: Any) -> int:
        """See `FieldType`."""
        if type(value) is not int or not self.lowest <= value <= self.highest:
            raise ValueError(f"no integer from {self.lowest} to {self.highest}")
        return value


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or False; 0 and 1 are neither."""

    def read(self, value: Any) -> bool:
        """See `FieldType`."""
        if not isinstance(value, bool):
            raise ValueError("neither true nor false")  # noqa: TRY004 - as all others
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is finite."""

    lowest: float
    highest: float

    def read(self, value: Any) -> float:
        """See `FieldType`."""
        # A comparison with NaN is false.
        if type(value) not in {int, float} or not self.lowest <= value <= self.highest:
            raise ValueError(f"no number from {self.lowest:g} to {self.highest:g}")
        return float(value)


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts."""

    most: int
    each: Text

    def read(self, value: Any) -> tuple[str, ...]:
        """See `FieldType`."""
        if not isinstance(value, list | tuple) or len(value) > self.most:
            raise ValueError(f"no list of at most {self.most}")
        return tuple(self.each.read(item) for item in value)
