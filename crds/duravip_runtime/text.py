r"""Text for people: what others wrote, made harmless for a terminal and a log; long lists.

A name, a group or a message may hold escape sequences, which a terminal carries out, line breaks,
which forge lines of a log, and marks that turn the direction of what follows (CVE-2021-42574).
All of them are shown as `\\x1b` and the like; everything else stays as it is.
"""

import re
from collections.abc import Sequence
from typing import Final

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_IN_JSON: Final = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_USUAL: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_ONE_BYTE: Final = 0x100
_AGES: Final = ((86400 * 2, 86400, "d"), (3600 * 3, 3600, "h"), (60 * 3, 60, "m"), (0, 1, "s"))
"""From so many seconds on: the seconds of a unit, and its letter."""
GAP: Final = "   "
"""Between two columns."""


def printable(text: str) -> str:
    """The text in one line, without anything that a terminal acts on."""
    return _UNPRINTABLE.sub(_shown, text)


def printable_json(text: str) -> str:
    """JSON that says the same; its own line breaks stay."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _USUAL.get(found[0]) or (f"\\x{code:02x}" if code < _ONE_BYTE else f"\\u{code:04x}")


def summarize(items: Sequence[object], limit: int = 5, noun: str = "") -> str:
    """The first items, and the number of the others: `n1, n2 and 3 more`, with a noun if given."""
    listed = ", ".join(map(str, items[:limit]))
    if len(items) <= limit:
        return listed
    return f"{listed} and {len(items) - limit} more {noun}".rstrip()


def format_age(seconds: float) -> str:
    """As kubectl writes it, e.g. `5m`; nothing is younger than `0s`."""
    seconds = max(0.0, seconds)
    return next(f"{int(seconds // unit)}{name}" for least, unit, name in _AGES if seconds >= least)


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column has to be."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns, as kubectl prints them; there is at least one."""
    widths = column_widths(rows)
    lines = (
        GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
