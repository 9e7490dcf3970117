"""Tables, JSON and ages, as a terminal shows them."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from duravip_runtime.text import printable, printable_json

_STEPS: Final = ((86400 * 2, 86400, "d"), (3600 * 3, 3600, "h"), (60 * 3, 60, "m"), (0, 1, "s"))


class Output:
    """Prints what a verb reports; ages are counted from the moment it was made."""

    def __init__(self, form: str, stream: TextIO | None = None) -> None:
        self.form = form
        self._stream = stream or sys.stdout
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

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows in columns, as kubectl does; None is shown as an empty cell."""
        cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )
        self._write("\n".join(lines))

    def _write(self, text: str) -> None:
        """Print; no other place does, and escape sequences have been replaced by then."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def ago(self, time: str) -> str:
        """The age of a time as kubectl writes it, e.g. `5m`; empty when it cannot be parsed."""
        seconds = self.seconds_since(time)
        if seconds is None:
            return ""
        seconds = max(0.0, seconds)
        return next(f"{int(seconds // unit)}{name}" for most, unit, name in _STEPS
                    if seconds >= most)  # fmt: skip

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


def _cell(value: object) -> str:
    return "" if value is None else printable(" ".join(str(value).split()))
