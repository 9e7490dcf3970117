"""Tables, JSON and ages, as a terminal shows them.

Colours and the width of the terminal count only where the output is one; a pipe gets all of it,
plain. NO_COLOR turns the colours off.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final, TextIO

from duravip_cli.errors import CommandError
from duravip_runtime.text import (
    GAP,
    column_widths,
    format_age,
    format_table,
    printable,
    printable_json,
)

_CUT: Final = "…"
_BOLD, _RED, _GREEN, _YELLOW = 1, 31, 32, 33
_COLOURED_COLUMNS: Final = frozenset({"STATE", "READY", "FLAGS", "STANDING"})
_COLOURS: Final = {
    **dict.fromkeys(("Owned", "True", "owner", "ok"), _GREEN),
    **dict.fromkeys(("Moving", "Pending", "Conflict", "Unsafe", "Held", "warn"), _YELLOW),
    **dict.fromkeys(("Unassigned", "Broken", "False", "FAIL"), _RED),
}
"""By the first word of a cell."""


class Output:
    """Prints what a verb reports; ages are counted from the moment it was made."""

    def __init__(
        self, form: str, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.form = form
        self._stream = stream or sys.stdout
        self._now = datetime.now(UTC)
        is_terminal = self._stream.isatty()
        self._has_colours = (
            is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        )
        self._width = shutil.get_terminal_size().columns if is_terminal and not self.is_wide else 0

    def restart_clock(self) -> None:
        """Count ages from now."""
        self._now = datetime.now(UTC)

    @property
    def is_json(self) -> bool:
        """Whether `-o json` was given."""
        return self.form == "json"

    @property
    def is_wide(self) -> bool:
        """Whether `-o wide` was given."""
        return self.form == "wide"

    def json(self, value: object) -> None:
        """Print a value as JSON."""
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        self._write(printable_json(text))

    def line(self, text: str = "") -> None:
        """Print one line, and flush it: the user may be waiting for it."""
        self._write(printable(text.rstrip()))

    def verdict(self, word: str, text: str) -> None:
        """Print a line that begins with a word such as `ok` or `FAIL`, in its colour."""
        padded = word.ljust(4)
        self._write(f"{self._coloured(padded, _colour_of(word))}  {printable(text.rstrip())}")

    def clear(self) -> None:
        """Begin at the top of the terminal again; elsewhere an empty line."""
        self._write("\x1b[H\x1b[2J" if self._stream.isatty() else "")

    def block(self, text: str) -> None:
        """Print a text of several lines."""
        self._write("\n".join(printable(line.rstrip()) for line in text.splitlines()))

    def table(
        self,
        heads: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        with_heads: bool = True,
    ) -> None:
        """Print rows in columns, as kubectl does; None is shown as an empty cell."""
        body = [[_cell(value) for value in row] for row in rows]
        cells = [list(heads), *body] if with_heads else body
        if not self._has_colours and not self._width:
            self._write(format_table(cells))
            return
        starts = [0, *accumulate(width + len(GAP) for width in column_widths(cells))]
        for number, row in enumerate(cells):
            is_head = with_heads and not number
            line, end = "", 0
            for head, text, start in zip(heads, row, starts, strict=False):
                shown = self._cut(text, start)
                colour = _BOLD if is_head else _colour_of(text) * (head in _COLOURED_COLUMNS)
                if shown:
                    line += " " * (start - end) + self._coloured(shown, colour)
                    end = start + len(shown)
            self._write(line)

    def _cut(self, text: str, start: int) -> str:
        """As much of a cell as the terminal has room for."""
        room = self._width - start if self._width else len(text)
        if len(text) <= room:
            return text
        return f"{text[: room - 1]}{_CUT}" if room > 0 else ""

    def _coloured(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if colour and self._has_colours else text

    def _write(self, text: str) -> None:
        """Print; no other place does, and escape sequences have been replaced by then."""
        write_or_fail(self._stream, text + "\n")

    def ago(self, time: str) -> str:
        """The age of a time as kubectl writes it, e.g. `5m`; empty when it cannot be parsed."""
        seconds = self.seconds_since(time)
        return "" if seconds is None else format_age(seconds)

    def seconds_since(self, time: str) -> float | None:
        """The age of a time in seconds; None when it cannot be parsed."""
        try:
            then = datetime.fromisoformat(time)
        except ValueError:
            return None
        return (self._now - then.replace(tzinfo=then.tzinfo or UTC)).total_seconds()

    def move(self, move: Mapping[str, Any]) -> str:
        """A change of owner, e.g. `n1 -> n2 NodeLost 5m ago, gap 120 ms`."""
        if not move:
            return ""
        where = f"{move['from']} -> {move.get('to')}" if move.get("from") else f"-> {move['to']}"
        text = f"{where} {move.get('reason', '')} {self.ago(str(move.get('time', '')))} ago"
        gap = move.get("gapMilliseconds")
        return text if gap is None else f"{text}, gap {gap} ms"


def drop_output() -> None:
    """Let what is still to be written to the standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_or_fail(stream: Any, text: str) -> None:
    """Write and flush; CommandError where there is no room, and what is left of it is dropped.

    BrokenPipeError without a reader.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise CommandError(f"cannot write the output: {error.strerror}") from error


def _colour_of(text: str) -> int:
    word = text.partition(" ")[0].partition(",")[0]
    return _COLOURS.get(word, 0)


def _cell(value: object) -> str:
    return "" if value is None else printable(" ".join(str(value).split()))
