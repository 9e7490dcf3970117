"""`nodes`: what each node is granted, serves, failed at, and its interfaces."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.output import Output
from duravip_cli.views.nodes import Machine, machines
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


def run(call: Call) -> Code:
    """Print the nodes."""
    given = set(call.asked.what)
    found = [
        machine
        for machine in machines(call.api.list("Node"), call.api.list("NodePlumbing"))
        if not given or machine.name in given
    ]
    if call.output.is_json:
        call.output.json([machine.as_json() for machine in found])
    elif found:
        _print(call.output, found)
    if missing := sorted(given - {machine.name for machine in found}):
        raise CommandError(f"there is no node {', '.join(missing)}")
    return Code.FINE


def _print(output: Output, found: list[Machine]) -> None:
    output.table(HEADS, [_row(machine) for machine in found])
    rows = [(machine.name, *_nic(nic)) for machine in found for nic in machine.nics]
    if rows:
        output.line()
        output.table(("NODE", "NIC", "STATE", "MBPS", "MTU", "MAC", "ADDRESSES"), rows)
    if output.is_wide and (wrong := list(_wrong(found))):
        output.line()
        output.table(("NODE", "WHAT", "ABOUT", "MESSAGE"), wrong)


def _row(machine: Machine) -> tuple[object, ...]:
    ready = machine.ready or "-"
    ready = f"{ready} ({machine.reason})" if machine.reason and ready != "True" else ready
    if not machine.is_known:
        ready = f"{ready} (no Node)"
    elif not machine.has_plumbing:
        ready = "- (no NodePlumbing)"
    return (
        machine.name,
        f"{ready}, behind" if machine.is_behind else ready,
        machine.granted,
        machine.served,
        len(machine.failures),
        len(machine.contested),
        machine.excluded or "-",
        machine.version,
    )


def _nic(nic: Body) -> tuple[object, ...]:
    state = "down" if not nic.get("up") else "up" if nic.get("carrier") else "no carrier"
    speed, addresses = nic.get("speedMbps"), ", ".join(nic.get("addresses") or ())
    return (nic.get("name"), state, speed, nic.get("mtu"), nic.get("mac"), addresses)


def _wrong(found: list[Machine]) -> Iterator[tuple[object, ...]]:
    for machine in found:
        if machine.ready not in {"True", ""}:
            yield machine.name, "Ready", machine.reason, machine.message
        for note in machine.notes:
            yield machine.name, note.get("type"), note.get("reason"), note.get("message")
        for failure in machine.failures:
            yield machine.name, "failure", failure.get("address"), failure.get("message")
        for contested in machine.contested:
            yield machine.name, "contested", contested.get("address"), contested.get("message")
