"""`history`: what happened to addresses, from Events and from the last moves in the statuses."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from duravip_api.annotations import parse_time
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.objects import Body, label_of, name_of, namespace_of, spec_of, status_of
from duravip_cli.output import Output
from duravip_cli.rows import address_rows, exactly_one
from duravip_runtime.text import summarize

MAX_OBJECTS: Final = 2
"""Objects that one line of the table names."""


class HistoryEntry(NamedTuple):
    """An Event, or the last move of a status."""

    time: str
    object: str
    reason: str
    message: str
    type: str
    times: int


VERB: Final = Verb(
    summary="List what happened to addresses, the oldest first",
    details=(
        "Taken from Events, which the API server forgets after an hour, and the last moves, "
        "which it does not."
    ),
    examples=(
        ("history 10.1.1.1", "its changes of owner"),
        ("history -n mail", "of all addresses of a namespace"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `history` takes."""
    parser.add_argument(
        "what", nargs="?", metavar="ADDRESS",
        help="or the NAME of an object on it, or TYPE/NAME; default: all",
    )  # fmt: skip
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")


def run(context: Context) -> ExitCode:
    """Print the entries, the oldest first."""
    what = context.arguments.what
    namespace = "" if context.arguments.all_namespaces else context.namespace
    lists = context.read_entities(namespace)
    shown = list(lists.entities())
    if what:
        target = context.target(what)
        row = exactly_one(address_rows(lists, [target]), target)
        shown = [(kind, body) for kind, body in shown if label_of(kind, body) in row.entities]
    entries = _events(context, shown, namespace, is_all=not what)
    entries |= set(_last_moves(shown, entries))
    ordered = sorted(entries, key=lambda entry: (parse_time(entry.time) or 0.0, entry))
    if context.output.is_json:
        context.output.json([entry._asdict() for entry in ordered])
    elif ordered:
        _print(context.output, ordered)
    else:
        context.output.line(f"nothing is known to have happened{f' to {what}' if what else ''}")
    return ExitCode.OK


def _events(
    context: Context, shown: Sequence[tuple[str, Body]], namespace: str, *, is_all: bool
) -> set[HistoryEntry]:
    """The Events about these objects; of all objects they are read at once."""
    labels = {label_of(kind, body) for kind, body in shown}
    if is_all:
        events = context.api.events(namespace)
    else:
        names = {(namespace_of(body), name_of(body)) for _, body in shown}
        events = tuple(event for name in sorted(names) for event in context.api.events(*name))
    found = (_entry(event) for event in events)
    return {entry for entry in found if entry.object in labels}


def _print(output: Output, ordered: list[HistoryEntry]) -> None:
    """One line for what happened to several objects of one address at once."""
    objects: dict[HistoryEntry, list[str]] = {}
    for entry in ordered:
        second = entry.time.partition(".")[0].rstrip("Z")
        objects.setdefault(entry._replace(time=second, object=""), []).append(entry.object)
    output.table(
        ("TIME", "AGO", "REASON", "MESSAGE", "OBJECTS"),
        [
            (
                entry.time.replace("T", " "),
                output.ago(entry.time),
                entry.reason,
                f"{entry.message} ({entry.times} times)" if entry.times > 1 else entry.message,
                summarize(labels, MAX_OBJECTS),
            )
            for entry, labels in objects.items()
        ],
    )


def _entry(event: Body) -> HistoryEntry:
    time = event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    about = event.get("involvedObject") or {}
    return HistoryEntry(
        str(time or ""),
        label_of(str(about.get("kind") or ""), {"metadata": about}),
        str(event.get("reason") or ""),
        str(event.get("message") or ""),
        str(event.get("type") or ""),
        int(event.get("count") or 1),
    )


def _last_moves(
    shown: Iterable[tuple[str, Body]], events: set[HistoryEntry]
) -> Iterator[HistoryEntry]:
    """The last move in each status, unless there is an Event of it."""
    told = {(entry.object, entry.reason, entry.time[:19]) for entry in events}
    for kind, body in shown:
        move = status_of(body).get("lastMove") or {}
        label, time = label_of(kind, body), str(move.get("time") or "")
        reason = str(move.get("reason") or "")
        if move and (label, reason, time[:19]) not in told:
            yield HistoryEntry(time, label, reason, _sentence(body, move), "Status", 1)


def _sentence(body: Body, move: Body) -> str:
    of = status_of(body).get("address") or spec_of(body).get("address")
    former, owner, gap = move.get("from"), move.get("to"), move.get("gapMilliseconds")
    silent = "" if gap is None else f"; nobody was seen to serve it for {gap} ms"
    if not former:
        return f"last move: {of} went to {owner}, its first owner"
    if former == owner:
        return f"last move: {of} stayed on {owner}{silent}"
    return f"last move: {of} moved from {former} to {owner}{silent}"
