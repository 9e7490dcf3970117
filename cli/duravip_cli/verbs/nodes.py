"""`nodes`: the addresses each node is granted and serves, its failures and interfaces."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb, add_listing
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.listing import FORMS, Listing, show
from duravip_cli.objects import Body, name_of
from duravip_cli.output import Output
from duravip_cli.rows import NodeRow, node_rows
from duravip_cli.targets import parse_node

VERB: Final = Verb(
    summary="Show nodes: what they are granted and serve, what failed, and their interfaces",
    examples=(
        ("nodes", "all nodes"),
        ("nodes n1 -o wide", "one, with what failed, word for word"),
        ("nodes -l rack=a -w", "those with a label, and again whenever one changes"),
    ),
    forms=FORMS,
)


def _cells(row: NodeRow, _: Output) -> tuple[object, ...]:
    ready = row.ready or "-"
    ready = f"{ready} ({row.reason})" if row.reason and ready != "True" else ready
    if not row.is_known:
        ready = f"{ready} (no Node)"
    elif not row.has_plumbing:
        ready = "- (no NodePlumbing)"
    return (
        row.name,
        f"{ready}, behind" if row.is_behind else ready,
        row.granted,
        row.served,
        len(row.failures),
        len(row.contested),
        row.excluded or "-",
        row.version,
    )


NODES: Final = Listing[NodeRow](
    heads=("NODE", "READY", "GRANTED", "SERVED", "FAILURES", "CONTESTED", "EXCLUDED", "AGENT"),
    wide=(),
    cells=_cells,
    plain=NodeRow.as_json,
    names=lambda row: [f"node/{row.name}"],
    key=lambda row: row.name,
    deleted=lambda row: row._replace(ready="Deleted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `nodes` takes."""
    parser.add_argument("what", nargs="*", metavar="NODE", type=parse_node, help="default: all")
    add_listing(parser)


def run(context: Context) -> ExitCode:
    """Print the nodes, and without `-w` their interfaces."""
    given = set(context.arguments.what)
    rows = show(context, NODES, lambda: _read(context, given), "" if given else "no node")
    if context.output.form in {"table", "wide"}:
        _print_details(context.output, rows)
    if missing := sorted(given - {row.name for row in rows}):
        raise CommandError(f"there is no node {', '.join(missing)}")
    return ExitCode.OK


def _read(context: Context, given: set[str]) -> list[NodeRow]:
    selector = context.arguments.selector
    nodes = context.api.list("Node", selector=selector)
    plumbings = context.api.list("NodePlumbing")
    chosen = {name_of(node) for node in nodes} if selector else None
    return [
        row
        for row in node_rows(nodes, plumbings)
        if (not given or row.name in given) and (chosen is None or row.name in chosen)
    ]


def _print_details(output: Output, rows: list[NodeRow]) -> None:
    nics = [(row.name, *_nic(nic)) for row in rows for nic in row.nics]
    if nics:
        output.line()
        output.table(("NODE", "NIC", "STATE", "MBPS", "MTU", "MAC", "ADDRESSES"), nics)
    if output.is_wide and (wrong := list(_wrong(rows))):
        output.line()
        output.table(("NODE", "WHAT", "ABOUT", "MESSAGE"), wrong)


def _nic(nic: Body) -> tuple[object, ...]:
    state = "down" if not nic.get("up") else "up" if nic.get("carrier") else "no carrier"
    speed, addresses = nic.get("speedMbps"), ", ".join(nic.get("addresses") or ())
    return (nic.get("name"), state, speed, nic.get("mtu"), nic.get("mac"), addresses)


def _wrong(rows: list[NodeRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        if row.ready not in {"True", ""}:
            yield row.name, "Ready", row.reason, row.message
        for note in row.notes:
            yield row.name, note.get("type"), note.get("reason"), note.get("message")
        for failure in row.failures:
            yield row.name, "failure", failure.get("address"), failure.get("message")
        for contested in row.contested:
            yield row.name, "contested", contested.get("address"), contested.get("message")
