"""`history`: the Events about the objects of one address, and its last move."""

import argparse
from typing import Final, NamedTuple

from duravip_api.annotations import parse_time
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.views.addresses import address_rows, exactly_one
from duravip_cli.views.objects import Body, ObjectLists, label_of, name_of, namespace_of, status_of


class HistoryEntry(NamedTuple):
    """An Event, or the last move of a status."""

    time: str
    object: str
    reason: str
    message: str
    type: str
    times: int


VERB: Final = Verb(
    summary="List what happened to one address, the oldest first",
    details=(
        "Taken from Events, which the API server forgets after an hour, and the last move, "
        "which it does not."
    ),
    examples=(("history 10.1.1.1", "its changes of owner"),),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `history` takes."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")


def run(context: Context) -> ExitCode:
    """Print the entries, the oldest first."""
    namespace = context.namespace
    lists = ObjectLists(
        duravips=context.api.list("DuraVIP", namespace),
        bindings=context.api.list("Binding", namespace),
    )
    row = exactly_one(address_rows(lists, [context.arguments.what]), context.arguments.what)
    entries: set[HistoryEntry] = set()
    for kind, body in lists.entities():
        if label_of(kind, body) in row.entities:
            for event in context.api.events(namespace_of(body), name_of(body)):
                if (event.get("involvedObject") or {}).get("kind") == kind:
                    entries.add(_entry(label_of(kind, body), event))
            entries |= _last_move(label_of(kind, body), body, row.address)
    ordered = sorted(entries, key=lambda entry: (parse_time(entry.time) or 0.0, entry))
    if context.output.is_json:
        context.output.json([entry._asdict() for entry in ordered])
    elif ordered:
        context.output.table(
            ("TIME", "AGO", "REASON", "OBJECT", "MESSAGE"),
            [
                (e.time, context.output.ago(e.time), e.reason, e.object, _message(e))
                for e in ordered
            ],
        )
    else:
        context.output.line(
            f"nothing is known to have happened to {row.address or context.arguments.what}"
        )
    return ExitCode.OK


def _message(entry: HistoryEntry) -> str:
    return f"{entry.message} ({entry.times} times)" if entry.times > 1 else entry.message


def _entry(label: str, event: Body) -> HistoryEntry:
    time = event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    return HistoryEntry(
        str(time or ""),
        label,
        str(event.get("reason") or ""),
        str(event.get("message") or ""),
        str(event.get("type") or ""),
        int(event.get("count") or 1),
    )


def _last_move(label: str, body: Body, address: str) -> set[HistoryEntry]:
    move, of = status_of(body).get("lastMove"), status_of(body).get("address") or address
    if not move:
        return set()
    former, owner, gap = move.get("from"), move.get("to"), move.get("gapMilliseconds")
    silent = "" if gap is None else f"; nobody was seen to serve it for {gap} ms"
    message = f"last move: {of} moved from {former} to {owner}{silent}"
    if not former:
        message = f"last move: {of} went to {owner}, its first owner"
    elif former == owner:
        message = f"last move: {of} stayed on {owner}{silent}"
    return {
        HistoryEntry(
            str(move.get("time") or ""), label, str(move.get("reason") or ""), message, "Status", 1
        )
    }
