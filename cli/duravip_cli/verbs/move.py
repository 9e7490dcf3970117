"""`move`: asks the operator to move an address to a node, and to hold it there."""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from duravip_api.annotations import MOVE_TO
from duravip_cli.annotations import remove_requests, write_request
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.inferred_snapshot import infer_settled
from duravip_cli.explain.standings import decide_now, move_refusal
from duravip_cli.objects import Body, EntityKind, ObjectLists, condition, status_of
from duravip_cli.rows import AddressRow, address_rows, exactly_one, objects_of
from duravip_cli.targets import parse_node

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
    parser.add_argument(
        "what", metavar="ADDRESS", help="or the NAME of an object on it, or TYPE/NAME"
    )
    parser.add_argument(
        "node", nargs="?", metavar="NODE", type=parse_node, help="where it shall be held"
    )
    parser.add_argument("--cancel", action="store_true", help="hold it nowhere any more")
    add_wait(parser, "wait until the node serves it", 30)


def run(context: Context) -> ExitCode:
    """Write the request; with --wait, report the gap once the node serves the address."""
    arguments = context.arguments
    if arguments.cancel == bool(arguments.node):
        raise CommandError("give either a NODE or --cancel", ExitCode.USAGE)
    lists = context.read_allowed()
    target = context.target(arguments.what)
    row = exactly_one(address_rows(lists, [target]), target)
    if arguments.cancel:
        return _cancel(context, lists, row)
    if not lists.refused:  # else the operator's answer has to do
        inferred = infer_settled(lists, context.read_plumbings_again)
        decision = decide_now(inferred.snapshot)
        if why := move_refusal(inferred, decision, row, arguments.node):
            raise CommandError(
                f"{row.address or arguments.what} cannot be moved to {arguments.node}: {why}"
            )
    body = write_request(context, lists, row, {MOVE_TO: arguments.node})
    moved = _wait(context, row, body) if arguments.wait else {}
    _print(context, row, moved)
    return ExitCode.OK


def _cancel(context: Context, lists: ObjectLists, row: AddressRow) -> ExitCode:
    changed = [remove_requests(context, kind, body) for kind, body in objects_of(lists, row)]
    if context.output.is_json:
        context.output.json({"address": row.address, "changed": any(changed)})
    elif any(changed):
        context.output.line(f"{row.address} is held nowhere any more: from now on it may move")
    else:
        context.output.line(f"nobody has asked for {row.address} to be moved")
    return ExitCode.OK


def _wait(
    context: Context, row: AddressRow, written_on: tuple[EntityKind, Body]
) -> Mapping[str, Any]:
    """The object's status once the node owns the address; CommandError after --timeout."""
    kind, body = written_on
    meta, node = body["metadata"], context.arguments.node
    last: Body = {}

    def look() -> Body | None:
        nonlocal last
        last = context.api.read(kind, meta["name"], meta.get("namespace", "")) or {}
        status = status_of(last)
        has_arrived = status.get("state") == "Owned" and status.get("owner") == node
        return status if has_arrived else None

    if (moved := wait_for(context, look)) is not None:
        return moved
    ready, status = condition(last, "Ready"), status_of(last)
    raise CommandError(
        f"{row.address} was asked to move to {node}, but after {context.arguments.timeout:g} s it "
        f"is {status.get('state')}, owner {status.get('owner') or 'none'}: "
        f"{ready.get('message')}; take it back with `kubectl duravip move --cancel {row.address}`"
    )


def _print(context: Context, row: AddressRow, status: Mapping[str, Any]) -> None:
    node, move = context.arguments.node, status.get("lastMove") or {}
    gap = move.get("gapMilliseconds") if move.get("to") == node else None
    if context.output.is_json:
        context.output.json(
            {
                "address": row.address,
                "from": row.owner,
                "to": node,
                "gapMilliseconds": gap,
                "moved": bool(status),
            }
        )
    elif not status:
        context.output.line(f"{row.address} was asked to move to {node}")
    elif row.owner == node:
        context.output.line(f"{row.address} is on {node} already, and is held there now")
    else:
        silent = "" if gap is None else f", gap {gap} ms"
        former = f" from {row.owner}" if row.owner else ""
        context.output.line(f"{row.address} has moved{former} to {node}{silent}")
