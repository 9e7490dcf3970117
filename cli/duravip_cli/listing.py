"""Lists as kubectl prints them: tables, `-o json|yaml|name|wide`, `--no-headers`, and `-w`."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from duravip_cli.context import Context
from duravip_cli.manifests.yaml_writer import format_documents
from duravip_cli.output import Output

FORMS: Final = ("json", "yaml", "name", "wide")
WATCH_EVERY_S: Final = 1.0
"""How often the cluster is read with `-w`."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """How the rows of a verb are printed."""

    heads: Sequence[str]
    wide: Sequence[str]
    """Heads of the columns that `-o wide` adds."""
    cells: Callable[[Row, Output], tuple[object, ...]]
    """All cells of a row, those of `-o wide` last."""
    plain: Callable[[Row], Mapping[str, Any]]
    """The row as `-o json` and `-o yaml` print it."""
    names: Callable[[Row], Sequence[str]]
    """Of the objects of a row, as `-o name` prints them: TYPE/NAME."""
    key: Callable[[Row], Hashable]
    """What stays while a row changes."""
    deleted: Callable[[Row], Row]
    """A row that is gone, as `-w` shows it."""


def show(
    context: Context, listing: Listing[Row], read: Callable[[], list[Row]], nothing: str = ""
) -> list[Row]:
    """Print what `read` gives, which is returned; with `-w` go on until the user has enough.

    `nothing` is said where a table would have no row.
    """
    rows = read()
    with_heads = not context.arguments.no_headers
    if rows or context.output.form not in {"table", "wide"}:
        _print(context.output, listing, rows, with_heads=with_heads)
    elif nothing:
        context.output.line(nothing)
    if context.arguments.watch:
        _watch(context, listing, read, rows)
    return rows


def _watch(
    context: Context, listing: Listing[Row], read: Callable[[], list[Row]], rows: list[Row]
) -> None:
    before = {listing.key(row): row for row in rows}
    while True:
        context.sleep(WATCH_EVERY_S)
        now = {listing.key(row): row for row in read()}
        changed = [row for key, row in now.items() if before.get(key) != row]
        gone = [listing.deleted(before[key]) for key in before.keys() - now.keys()]
        if changed or gone:
            _print(context.output, listing, [*changed, *gone], with_heads=False)
        before = now


def _print(output: Output, listing: Listing[Row], rows: list[Row], *, with_heads: bool) -> None:
    if output.is_json:
        output.json([listing.plain(row) for row in rows])
    elif output.form == "yaml":
        values = json.loads(json.dumps([listing.plain(row) for row in rows], default=str))
        output.block(format_documents(values))
    elif output.form == "name":
        for name in dict.fromkeys(name for row in rows for name in listing.names(row)):
            output.line(name)
    else:
        heads = (*listing.heads, *listing.wide) if output.is_wide else tuple(listing.heads)
        cells = [listing.cells(row, output)[: len(heads)] for row in rows]
        output.table(heads, cells, with_heads=with_heads)
