"""`status`: all at one glance, also again and again."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.listing import WATCH_EVERY_S
from duravip_cli.output import Output
from duravip_cli.overview import Leader, Overview, overview
from duravip_cli.rows import NodeRow

MAX_WRONG: Final = 10
"""Addresses with a problem that are listed."""

VERB: Final = Verb(
    summary="Show at one glance who leads, which nodes are well, and which addresses are not",
    details="Ends with 1 when anything is wrong.",
    examples=(
        ("status", "once"),
        ("status -w", "again every second, until it is interrupted"),
        ("status -n mail", "the addresses of one namespace"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `status` takes."""
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")
    parser.add_argument("-w", "--watch", action="store_true", help="again every second")


def run(context: Context) -> ExitCode:
    """Print the overview."""
    found = _read(context)
    _print(context.output, found)
    while context.arguments.watch:
        context.sleep(WATCH_EVERY_S)
        found = _read(context)
        context.output.clear()
        _print(context.output, found)
    return ExitCode.OK if found.is_well else ExitCode.PROBLEM


def _read(context: Context) -> Overview:
    context.output.restart_clock()
    namespace = "" if context.arguments.all_namespaces else context.namespace
    return overview(context.read_allowed(), context.output.seconds_since, namespace)


def _print(out: Output, found: Overview) -> None:
    if out.is_json:
        out.json(found.as_json())
        return
    out.line(_leader_line(found.leader))
    out.line(f"addresses: {_counts(found)}")
    out.line()
    if found.nodes:
        out.table(("NODE", "READY", "ADDRESSES", "NICS"), map(_node, found.nodes))
    else:
        out.line(found.refused.get("Node") or "no node has an agent")
    if found.wrong:
        out.line()
        out.table(("ADDRESS", "STATE", "FLAGS", "MESSAGE"), _wrong(found))
    if found.moves:
        out.line()
        rows = [(row.address, out.move(row.last_move)) for row in found.moves]
        out.table(("ADDRESS", "LAST MOVES"), rows)


def _leader_line(leader: Leader) -> str:
    if not leader.name:
        return "leader: nobody leads, or you may not read the Lease"
    if leader.renewed_s is None:
        return f"leader: {leader.name}, epoch {leader.epoch}"
    late = ": it is late, and addresses stay where they are" if leader.is_late else ""
    return (
        f"leader: {leader.name}, epoch {leader.epoch}, Lease renewed "
        f"{max(0.0, leader.renewed_s):.0f} s ago{late}"
    )


def _counts(found: Overview) -> str:
    states = [f"{count} {state or 'unanswered'}" for state, count in sorted(found.states.items())]
    return ", ".join(states) or "none"


def _node(row: NodeRow) -> tuple[object, ...]:
    ready = row.ready or "-"
    count = str(row.served) if row.served == row.granted else f"{row.served} of {row.granted}"
    nics = [
        f"{nic.get('name')}{'' if nic.get('up') and nic.get('carrier') else ' (down)'}"
        for nic in row.nics
    ]
    drained = ", drained" if row.excluded else ""
    why = f" ({row.reason})" if row.reason and ready != "True" else ""
    return f"{row.name}{drained}", f"{ready}{why}", count, ", ".join(nics)


def _wrong(found: Overview) -> Iterator[tuple[object, ...]]:
    for row in found.wrong[:MAX_WRONG]:
        message = f"{row.reason}: {row.message}" if row.reason else row.message
        yield row.address or row.entities[0], row.state, row.flags, message
    if len(found.wrong) > MAX_WRONG:
        yield f"and {len(found.wrong) - MAX_WRONG} more", "", "", "see `kubectl duravip show`"
