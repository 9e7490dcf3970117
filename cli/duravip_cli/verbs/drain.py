"""`drain`: takes a node out, waits until it holds nothing, and names what is lost."""

import argparse
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import POLL_EVERY_S, Api, Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.forecast import forecast, with_drained
from duravip_cli.explain.inferred_snapshot import infer_settled
from duravip_cli.move_requests import remove_spent_requests
from duravip_cli.views.addresses import address_rows, objects_of
from duravip_cli.views.nodes import NodeRow, exclusion, node_rows
from duravip_cli.views.objects import ObjectLists

MAX_NAMED = 10
"""Addresses that are listed with their reasons."""


class OwnerlessAddress(NamedTuple):
    """An address that no other node may hold."""

    address: str
    reason: str
    message: str


VERB: Final = Verb(
    summary="Take a node out: its addresses move away, and it gets none",
    details=(
        "Sets the label node.kubernetes.io/exclude-from-external-load-balancers on the Node, "
        "which other load balancers heed as well. Names the addresses that no other node may "
        "hold, before and after, and ends with 1 when there are any."
    ),
    examples=(
        ("drain n1", "and wait until it holds nothing"),
        ("drain n1 --no-wait", "only set the label"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `drain` takes."""
    parser.add_argument("node", metavar="NODE")
    add_wait(parser, "show progress until the node is granted and serves nothing", 60)


def run(context: Context) -> ExitCode:
    """Set the label; with --wait, report the addresses that are left until there are none."""
    name = context.arguments.node
    value = exclusion(context.read_node(name))
    held, lost = _predict(context, name)
    _print_ownerless(context, lost, "nobody else may hold {}, which will have no owner:")
    if value is None:
        context.api.label_node(name, EXCLUDE_LABEL, DRAINED)
        _print(context, f"{name} is taken out: it gets no address, and those it has move away")
    else:
        _print(context, f"{name} is taken out already ({EXCLUDE_LABEL}={value})")
    left = _wait(context, name) if context.arguments.wait else _read_row(context.api, name)
    if context.arguments.wait:
        lost = _wait_for_owners(context, held) if held else []
        _print_ownerless(context, lost, "nobody holds {} now:")
    if context.output.is_json:
        context.output.json(
            {
                "node": name,
                "granted": left.granted,
                "served": left.served,
                "label": {EXCLUDE_LABEL: value or DRAINED},
                "lost": [address._asdict() for address in lost],
            }
        )
    return ExitCode.PROBLEM if lost else ExitCode.OK


def _predict(context: Context, name: str) -> tuple[frozenset[str], list[OwnerlessAddress]]:
    """The addresses granted to the node, and those of them that no other node may hold."""
    try:
        before = infer_settled(context.read_all(), context.read_plumbings_again).snapshot
    except CommandError as error:
        _print(context, f"cannot tell beforehand which addresses will have no owner: {error}")
        return frozenset(), []
    plumbing = before.plumbings.get(name)
    if plumbing is None or name not in before.nodes:
        return frozenset(), []
    changes = forecast(before, with_drained(before, [name])).changes
    lost = [
        OwnerlessAddress(change.address, change.reason, change.message)
        for change in changes
        if change.before == name and not change.after and change.message
    ]
    return plumbing.granted, lost


def _wait_for_owners(context: Context, held: frozenset[str]) -> list[OwnerlessAddress]:
    """The addresses of `held` without an owner, once no more of them is moving."""
    until = time.monotonic() + context.arguments.timeout
    while True:
        lists = context.read_all()
        rows = [row for row in address_rows(lists) if row.address in held]
        is_moving = any(row.state in {"", "Moving"} for row in rows)
        if not is_moving or time.monotonic() >= until:
            break
        context.sleep(POLL_EVERY_S)
    _remove_spent_requests(context, lists, held)
    return [
        OwnerlessAddress(row.address, row.reason, row.message)
        for row in rows
        if row.state in {"Moving", "Unassigned"}
    ]


def _remove_spent_requests(context: Context, lists: ObjectLists, held: frozenset[str]) -> None:
    """Remove requests for these addresses to be on the node: a drain has ended them."""
    for row in address_rows(lists):
        if row.address in held:
            for kind, body in objects_of(lists, row):
                if (body.get("metadata") or {}).get("annotations"):
                    remove_spent_requests(context, kind, body)


def _read_row(api: Api, name: str) -> NodeRow:
    plumbing = api.read("NodePlumbing", name)
    return node_rows(({"metadata": {"name": name}},), (plumbing,) if plumbing else ())[0]


def _wait(context: Context, name: str) -> NodeRow:
    until = time.monotonic() + context.arguments.timeout
    last = None
    while True:
        row = _read_row(context.api, name)
        # The last status of an agent that has ended lists what it served before.
        served = 0 if row.reason == "AgentStopped" else row.served
        left = (row.granted, served)
        if left == (0, 0):
            _print(context, f"{name} holds no address any more")
            return row
        if left != last:
            _print(context, f"{row.granted} addresses are granted to {name}, it serves {served}")
        last = left
        if time.monotonic() >= until:
            raise CommandError(
                f"{name} is taken out, but after {context.arguments.timeout:g} s it is still "
                f"granted {row.granted} addresses and serves {served}: see "
                "`kubectl duravip doctor`"
            )
        context.sleep(POLL_EVERY_S)


def _print_ownerless(context: Context, lost: Iterable[OwnerlessAddress], headline: str) -> None:
    """List the addresses that no node holds, each with the reason."""
    named = list(lost)
    if not named:
        return
    count = "1 address" if len(named) == 1 else f"{len(named)} addresses"
    _print(context, headline.format(count))
    for address, reason, message in named[:MAX_NAMED]:
        _print(context, f"  {address}: {reason}: {message}")
    if len(named) > MAX_NAMED:
        _print(context, f"  and {len(named) - MAX_NAMED} more")


def _print(context: Context, text: str) -> None:
    if not context.output.is_json:
        context.output.line(text)
