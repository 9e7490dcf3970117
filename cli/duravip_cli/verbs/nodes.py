"""`nodes`: the addresses each node is granted and serves, its failures and interfaces."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.output import Output
from duravip_cli.views.nodes import NodeRow, node_rows
from duravip_cli.views.objects import Body

HEADS = ("NODE", "READY", "GRANTED", "SERVED", "FAILURES", "CONTESTED", "EXCLUDED", "AGENT")

VERB: Final = Verb(
    summary="Show nodes: what they are granted and serve, what failed, and their interfaces",
    examples=(
        ("nodes", "all nodes"),
        ("nodes n1 -o wide", "one, with what failed, word for word"),
    ),
    forms=("json", "wide"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `nodes` takes."""
    parser.add_argument("what", nargs="*", metavar="NODE", help="default: all")


def run(context: Context) -> ExitCode:
    """Print the nodes."""
    given = set(context.arguments.what)
    rows = [
        row
        for row in node_rows(context.api.list("Node"), context.api.list("NodePlumbing"))
        if not given or row.name in given
    ]
    if context.output.is_json:
        context.output.json([row.as_json() for row in rows])
    elif rows:
        _print(context.output, rows)
    if missing := sorted(given - {row.name for row in rows}):
        raise CommandError(f"there is no node {', '.join(missing)}")
    return ExitCode.OK


def _print(output: Output, rows: list[NodeRow]) -> None:
    output.table(HEADS, [_row(row) for row in rows])
    nics = [(row.name, *_nic(nic)) for row in rows for nic in row.nics]
    if nics:
        output.line()
        output.table(("NODE", "NIC", "STATE", "MBPS", "MTU", "MAC", "ADDRESSES"), nics)
    if output.is_wide and (wrong := list(_wrong(rows))):
        output.line()
        output.table(("NODE", "WHAT", "ABOUT", "MESSAGE"), wrong)


def _row(row: NodeRow) -> tuple[object, ...]:
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
