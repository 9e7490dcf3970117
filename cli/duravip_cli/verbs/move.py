"""`move`: has an address held on a node of one's choice, until it leaves that node."""

import argparse
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, format_request
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Call, awaited
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.move_checks import against_moving, spent
from duravip_cli.explain.standings import decided
from duravip_cli.verbs.why import only, settled
from duravip_cli.views.addresses import Unit, members, units
from duravip_cli.views.objects import Body, EntityKind, Lists, condition, status_of

VERB: Final = Verb(
    summary="Move an address to a node, and hold it there until it leaves that node",
    details=(
        "Written as an annotation on the oldest object of the address, so it asks for the right "
        "to patch that. Refused when a preference names another node, when the node may not hold "
        "the address, and for an address that follows another one."
    ),
    examples=(
        ("move 10.1.1.1 n2", "and wait until n2 serves it; tells the gap"),
        ("move mail/smtp-1 n2 --no-wait", "only ask for it"),
        ("move --cancel 10.1.1.1", "it stays where it is, and may move again"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `move` takes."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")
    parser.add_argument("node", nargs="?", metavar="NODE", help="where it shall be held")
    parser.add_argument("--cancel", action="store_true", help="hold it nowhere any more")
    add_wait(parser, "wait until the node serves it", 30)


def run(call: Call) -> Code:
    """Write the request, and with --wait tell when it was fulfilled."""
    asked = call.asked
    if asked.cancel == bool(asked.node):
        raise CommandError("give either a NODE or --cancel", Code.UNUSABLE)
    lists = call.everything()
    unit = only(units(lists, [call.meant(asked.what)]), asked.what)
    if asked.cancel:
        return _cancel(call, lists, unit)
    seen = settled(call, lists)
    made = decided(seen.snapshot)
    if why := against_moving(seen, made, unit, asked.node):
        raise CommandError(f"{unit.address or asked.what} cannot be moved to {asked.node}: {why}")
    body = request(call, lists, unit, {MOVE_TO: asked.node})
    moved = _wait(call, unit, body) if asked.wait else {}
    _print(call, unit, moved)
    return Code.FINE


def request(
    call: Call, lists: Lists, unit: Unit, wanted: Mapping[str, str]
) -> tuple[EntityKind, Body]:
    """Let this be the only request about the unit: on the oldest that counts, as `NODE@TIME`."""
    time, move = call.api.now(), str(unit.last_move.get("time") or "")
    values = {name: format_request(node, time, move) for name, node in wanted.items()}
    first, *others = members(lists, unit)
    call.api.annotate(*first, {MOVE_TO: None, RELEASE_FROM: None, **values})
    for kind, body in others:
        withdraw(call, kind, body)
    return first


def withdraw(call: Call, kind: EntityKind, body: Body) -> bool:
    """Remove the requests of one object; whether there was any."""
    notes = (body.get("metadata") or {}).get("annotations") or {}
    there = {name: None for name in (MOVE_TO, RELEASE_FROM) if name in notes}
    if there:
        call.api.annotate(kind, body, there)
    return bool(there)


def tidy(call: Call, kind: EntityKind, body: Body) -> None:
    """Remove what was asked of this object and is done with, as far as one may."""
    meta = body["metadata"]
    with suppress(CommandError):
        found = call.api.read(kind, meta["name"], meta.get("namespace", ""))
        if found and (names := spent(found)):
            call.api.annotate(kind, found, dict.fromkeys(names))


def _cancel(call: Call, lists: Lists, unit: Unit) -> Code:
    changed = [withdraw(call, kind, body) for kind, body in members(lists, unit)]
    if call.output.is_json:
        call.output.json({"address": unit.address, "changed": any(changed)})
    elif any(changed):
        call.output.line(f"{unit.address} is held nowhere any more: from now on it may move")
    else:
        call.output.line(f"nobody has asked for {unit.address} to be moved")
    return Code.FINE


def _wait(call: Call, unit: Unit, written_on: tuple[EntityKind, Body]) -> Mapping[str, Any]:
    """The status once the node owns it; CommandError when it does not in time."""
    kind, body = written_on
    meta, node = body["metadata"], call.asked.node
    last: Body = {}

    def look() -> Body | None:
        nonlocal last
        last = call.api.read(kind, meta["name"], meta.get("namespace", "")) or {}
        status = status_of(last)
        is_there = status.get("state") == "Owned" and status.get("owner") == node
        return status if is_there else None

    if (found := awaited(call, look)) is not None:
        return found
    ready, status = condition(last, "Ready"), status_of(last)
    raise CommandError(
        f"{unit.address} was asked to move to {node}, but after {call.asked.timeout:g} s it is "
        f"{status.get('state')}, owner {status.get('owner') or 'none'}: {ready.get('message')}; "
        f"take it back with `kubectl duravip move --cancel {unit.address}`"
    )


def _print(call: Call, unit: Unit, status: Mapping[str, Any]) -> None:
    node, move = call.asked.node, status.get("lastMove") or {}
    gap = move.get("gapMilliseconds") if move.get("to") == node else None
    if call.output.is_json:
        said = {"address": unit.address, "from": unit.owner, "to": node, "gapMilliseconds": gap}
        call.output.json({**said, "moved": bool(status)})
    elif not status:
        call.output.line(f"{unit.address} was asked to move to {node}")
    elif unit.owner == node:
        call.output.line(f"{unit.address} is on {node} already, and is held there now")
    else:
        silent = "" if gap is None else f", gap {gap} ms"
        former = f" from {unit.owner}" if unit.owner else ""
        call.output.line(f"{unit.address} has moved{former} to {node}{silent}")
