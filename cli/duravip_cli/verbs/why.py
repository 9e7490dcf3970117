"""`why`: one address, and every node's standing in its election."""

import argparse
from dataclasses import replace
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.inferred_snapshot import View, lagging, view
from duravip_cli.explain.standings import Standing, decided, standings
from duravip_cli.views.addresses import Unit, units
from duravip_cli.views.objects import Lists
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.snapshot import VipObject

A_MOMENT = 0.5
"""A living agent has acted on its spec long before, in seconds."""

VERB: Final = Verb(
    summary="Explain one address: why each node is, or is not, its owner",
    details=(
        "The election is computed here, by the operator's own code, from what the API server "
        "knows. Whom the operator hears is not in there: it is inferred, and the output says "
        "from what."
    ),
    examples=(
        ("why 10.1.1.1", "every node's standing"),
        ("why mail/smtp-1", "by an object's name"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `why` takes."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")


def run(call: Call) -> Code:
    """Print the account of one address."""
    lists = call.everything()
    unit = only(units(lists, [call.meant(call.asked.what)]), call.asked.what)
    seen = settled(call, lists)
    made = decided(seen.snapshot)
    stood = standings(seen, made, unit.address) if unit.address in made.units else []
    told = [(e, made.status_of(e)) for e in seen.snapshot.vips if e.label in unit.entities]
    if call.output.is_json:
        call.output.json(_json(unit, told, stood, seen))
    else:
        _print(call, unit, told, (stood, seen.note))
    return Code.FINE


def only(found: list[Unit], given: str) -> Unit:
    """The one unit that was meant; CommandError when it is none, or several."""
    if not found:
        raise CommandError(f"no DuraVIP or Binding has the address or name {given}")
    if len(found) > 1:
        listed = ", ".join(sorted(unit.address or "none" for unit in found))
        raise CommandError(f"{given} names several addresses ({listed}): give one of them")
    return found[0]


def settled(call: Call, lists: Lists) -> View:
    """The cluster; NodePlumbings that an agent may just be acting on are read once more."""
    if lagging(lists.plumbings):
        call.sleep(A_MOMENT)
        lists = replace(lists, plumbings=call.api.list("NodePlumbing"))
    return view(lists)


def _print(
    call: Call,
    unit: Unit,
    told: list[tuple[VipObject, AddressStatus]],
    computed: tuple[list[Standing], str],
) -> None:
    out, (stood, note) = call.output, computed
    owner = f" by {unit.owner}" if unit.owner else ""
    since = f", since {out.ago(unit.since)}" if unit.since else ""
    out.line(f"{unit.address or 'no address'}: {unit.state or 'no status yet'}{owner}{since}")
    if unit.message:
        out.line(f"  {unit.reason}: {unit.message}")
    if unit.last_move:
        out.line(f"  last move: {out.move(unit.last_move)}")
    out.line()
    for vip, verdict in told:
        wants = f"prefers {vip.preference}" if vip.preference else ""
        wants = f"follows {vip.follow}" if vip.follow else wants
        out.line(f"{vip.label}{f' ({wants})' if wants else ''}")
        out.line(f"  {verdict.state}: {verdict.reason}: {verdict.message}")
        for kind, reason, message in verdict.advisories:
            if reason is not verdict.reason:
                out.line(f"  {kind}: {reason}: {message}")
    if stood:
        out.line()
        out.table(
            ("NODE", "STANDING", "REASON", "BECAUSE"),
            [(s.node, s.standing, s.reason or "-", s.sentence) for s in stood],
        )
        out.line()
        more = f" Note: {note}." if note else ""
        out.line(f"Computed now, by the operator's own election.{more}")


def _json(
    unit: Unit, told: list[tuple[VipObject, AddressStatus]], stood: list[Standing], seen: View
) -> dict[str, object]:
    return {
        "address": unit.address,
        "status": unit.as_json(),
        "objects": [
            {
                "object": vip.label,
                "state": verdict.state,
                "reason": verdict.reason,
                "sentence": verdict.reason.sentence,
                "message": verdict.message,
                "flags": verdict.flags,
                "conditions": [
                    {"type": kind, "reason": reason, "message": message}
                    for kind, reason, message in verdict.advisories
                ],
            }
            for vip, verdict in told
        ],
        "nodes": [s._asdict() for s in stood],
        "hearing": {
            "note": seen.note,
            "nodes": {
                name: {"taken": found.hearing.value, "because": found.basis}
                for name, found in seen.heard.items()
            },
        },
    }
