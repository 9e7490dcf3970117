"""`drain`: takes a node out, waits until it holds nothing, and names what is lost."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.annotations import remove_spent_requests
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.forecast import forecast, with_drained
from duravip_cli.explain.inferred_snapshot import infer_settled
from duravip_cli.objects import ObjectLists, annotations_of
from duravip_cli.rows import (
    AddressRow,
    NodeRow,
    address_rows,
    exclusion,
    node_rows,
    objects_of,
)
from duravip_cli.targets import parse_node

MAX_NAMED = 10
"""Addresses that are listed with their reasons."""


class OwnerlessAddress(NamedTuple):
    """An address that no other node may hold."""

    address: str
    reason: str
    message: str


VERB: Final = Verb(
    summary="Take nodes out: their addresses move away, and they get none",
    details=(
        "Sets the label node.kubernetes.io/exclude-from-external-load-balancers on the Nodes, "
        "which other load balancers heed as well. Names the addresses that no other node may "
        "hold, before and after, and ends with 1 when there are any."
    ),
    examples=(
        ("drain n1", "and wait until it holds nothing"),
        ("drain n1 n2 --no-wait", "two of them, and only set the labels"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `drain` takes."""
    parser.add_argument("nodes", nargs="+", metavar="NODE", type=parse_node)
    add_wait(parser, "show progress until the nodes are granted and serve nothing", 60)


def run(context: Context) -> ExitCode:
    """Set the labels; with --wait, report the addresses that are left until there are none."""
    names = list(dict.fromkeys(context.arguments.nodes))
    values = {name: exclusion(context.read_node(name)) for name in names}
    held, lost = _predict(context, names)
    _print_ownerless(context, lost, "nobody else may hold {}, which will have no owner:")
    for name, value in values.items():
        if value is None:
            context.api.label_node(name, EXCLUDE_LABEL, DRAINED)
            _print(context, f"{name} is taken out: it gets no address, and those it has move away")
        else:
            _print(context, f"{name} is taken out already ({EXCLUDE_LABEL}={value})")
    left = _wait(context, names) if context.arguments.wait else _read_rows(context, names)
    if context.arguments.wait:
        lost = _wait_for_owners(context, held) if held else []
        _print_ownerless(context, lost, "nobody holds {} now:")
    if context.output.is_json:
        reports = [
            {
                "node": row.name,
                "granted": row.granted,
                "served": row.served,
                "label": {EXCLUDE_LABEL: values[row.name] or DRAINED},
                "lost": [address._asdict() for address in lost],
            }
            for row in left
        ]
        context.output.json(reports if len(reports) > 1 else reports[0])
    return ExitCode.PROBLEM if lost else ExitCode.OK


def _predict(
    context: Context, names: Sequence[str]
) -> tuple[frozenset[str], list[OwnerlessAddress]]:
    """The addresses granted to the nodes, and those of them that no other node may hold."""
    try:
        before = infer_settled(context.read_all(), context.read_plumbings_again).snapshot
    except CommandError as error:
        _print(context, f"cannot tell beforehand which addresses will have no owner: {error}")
        return frozenset(), []
    known = [name for name in names if name in before.plumbings and name in before.nodes]
    lost = [
        OwnerlessAddress(change.address, change.reason, change.message)
        for change in forecast(before, with_drained(before, known)).changes
        if change.before in known and not change.after and change.message
    ]
    return frozenset().union(*(before.plumbings[name].granted for name in known)), lost


def _wait_for_owners(context: Context, held: frozenset[str]) -> list[OwnerlessAddress]:
    """The addresses of `held` without an owner, once no more of them is moving."""
    lists, rows = ObjectLists(), list[AddressRow]()

    def look() -> bool | None:
        nonlocal lists, rows
        lists = context.read_all()
        rows = [row for row in address_rows(lists) if row.address in held]
        return None if any(row.state in {"", "Moving"} for row in rows) else True

    wait_for(context, look)
    # Requests for these addresses to be on the node: the drain has ended them.
    for row in rows:
        for kind, body in objects_of(lists, row):
            if annotations_of(body):
                remove_spent_requests(context, kind, body)
    return [
        OwnerlessAddress(row.address, row.reason, row.message)
        for row in rows
        if row.state in {"Moving", "Unassigned"}
    ]


def _read_rows(context: Context, names: Sequence[str]) -> list[NodeRow]:
    plumbings = (context.api.read("NodePlumbing", name) for name in names)
    nodes = tuple({"metadata": {"name": name}} for name in names)
    return node_rows(nodes, tuple(plumbing for plumbing in plumbings if plumbing))


def _wait(context: Context, names: Sequence[str]) -> list[NodeRow]:
    last: dict[str, int] = {}

    def look() -> list[NodeRow] | None:
        rows = _read_rows(context, names)
        for row in rows:
            # The last status of an agent that has ended lists what it served before.
            served = 0 if row.reason == "AgentStopped" else row.served
            left = max(row.granted, served)
            if left != last.get(row.name):
                _print(context, _progress(row.name, left))
            last[row.name] = left
        return None if any(last.values()) else rows

    if rows := wait_for(context, look):
        return rows
    left = ", ".join(f"{name} has {count}" for name, count in last.items() if count)
    raise CommandError(
        f"after {context.arguments.timeout:g} s addresses are left: {left}; the nodes are taken "
        "out all the same: see `kubectl duravip doctor`"
    )


def _progress(name: str, left: int) -> str:
    if not left:
        return f"{name} holds no address any more"
    return f"{name} has {left} address{'es' * (left > 1)} left"


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
