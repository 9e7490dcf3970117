"""`history`: the Events about the objects of one address, and its last move."""

import argparse
from typing import Final, NamedTuple

from duravip_api.annotations import parse_time
from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code
from duravip_cli.verbs.why import only
from duravip_cli.views.addresses import units
from duravip_cli.views.objects import Body, Lists, label_of, name_of, namespace_of, status_of


class Entry(NamedTuple):
    """Something that happened."""

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


def run(call: Call) -> Code:
    """Print them, the oldest first."""
    namespace = call.namespace
    lists = Lists(
        duravips=call.api.list("DuraVIP", namespace), bindings=call.api.list("Binding", namespace)
    )
    unit = only(units(lists, [call.asked.what]), call.asked.what)
    entries: set[Entry] = set()
    for kind, body in lists.entities():
        if label_of(kind, body) in unit.entities:
            for event in call.api.events(namespace_of(body), name_of(body)):
                if (event.get("involvedObject") or {}).get("kind") == kind:
                    entries.add(_entry(label_of(kind, body), event))
            entries |= _last_move(label_of(kind, body), body, unit.address)
    found = sorted(entries, key=lambda entry: (parse_time(entry.time) or 0.0, entry))
    if call.output.is_json:
        call.output.json([entry._asdict() for entry in found])
    elif found:
        call.output.table(
            ("TIME", "AGO", "REASON", "OBJECT", "MESSAGE"),
            [(e.time, call.output.ago(e.time), e.reason, e.object, _said(e)) for e in found],
        )
    else:
        call.output.line(f"nothing is known to have happened to {unit.address or call.asked.what}")
    return Code.FINE


def _said(entry: Entry) -> str:
    return f"{entry.message} ({entry.times} times)" if entry.times > 1 else entry.message


def _entry(label: str, event: Body) -> Entry:
    time = event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    return Entry(
        str(time or ""),
        label,
        str(event.get("reason") or ""),
        str(event.get("message") or ""),
        str(event.get("type") or ""),
        int(event.get("count") or 1),
    )


def _last_move(label: str, body: Body, address: str) -> set[Entry]:
    move, of = status_of(body).get("lastMove"), status_of(body).get("address") or address
    if not move:
        return set()
    former, owner, gap = move.get("from"), move.get("to"), move.get("gapMilliseconds")
    silent = "" if gap is None else f"; nobody was seen to serve it for {gap} ms"
    said = f"last move: {of} moved from {former} to {owner}{silent}"
    if not former:
        said = f"last move: {of} went to {owner}, its first owner"
    elif former == owner:
        said = f"last move: {of} stayed on {owner}{silent}"
    return {
        Entry(str(move.get("time") or ""), label, str(move.get("reason") or ""), said, "Status", 1)
    }
