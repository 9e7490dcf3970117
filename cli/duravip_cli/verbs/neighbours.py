"""`neighbours`: the neighbour tables of the nodes' kernels, and which hosts are ours."""

import argparse
from collections.abc import Iterable
from typing import Final, NamedTuple

from duravip_api.annotations import LIST_NEIGHBOURS
from duravip_cli.annotations import raise_if_unanswered, read_plumbings, send_command
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.objects import Body, name_of, status_of
from duravip_cli.targets import parse_node


class NeighbourRow(NamedTuple):
    """An entry of a node's neighbour table."""

    node: str
    interface: str
    address: str
    mac: str
    state: str
    ours: str
    """The node that the host is, and `(DuraVIP)` for an address of ours; empty: a stranger."""


def neighbour_rows(answers: Iterable[Body], plumbings: Iterable[Body]) -> list[NeighbourRow]:
    """Every neighbour in the answers; the NodePlumbings have our MACs and addresses."""
    by_mac: dict[str, str] = {}
    by_address: dict[str, str] = {}
    for body in plumbings:
        status, name = status_of(body), name_of(body)
        for nic in status.get("nics") or ():
            by_mac[str(nic.get("mac"))] = name
            by_address |= {a.partition("/")[0]: name for a in nic.get("addresses") or ()}
        by_address |= {str(a): f"{name} (DuraVIP)" for a in status.get("served") or ()}
    return [
        NeighbourRow(
            node=name_of(body),
            interface=str(host.get("interface")),
            address=str(host.get("address")),
            mac=str(host.get("mac") or ""),
            state=str(host.get("state")),
            ours=by_address.get(str(host.get("address")), "")
            or by_mac.get(str(host.get("mac") or "-"), ""),
        )
        for body in answers
        for host in status_of(body).get("neighbours") or ()
    ]


HEADS = ("NODE", "INTERFACE", "ADDRESS", "MAC", "STATE", "OURS")

VERB: Final = Verb(
    summary="List the hosts that the nodes' kernels know on their segments",
    details=(
        "The agents are asked for it, and leave the answer in their NodePlumbings for a minute. "
        "OURS names the node that a host is, and marks addresses of DuraVIP."
    ),
    examples=(("neighbours", "those of every node"), ("neighbours n1 -o json", "one node's")),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `neighbours` takes."""
    parser.add_argument("what", nargs="*", metavar="NODE", type=parse_node, help="default: all")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS",
        help="for the agents to answer (default: 10)",
    )  # fmt: skip
    parser.set_defaults(wait=True)


def run(context: Context) -> ExitCode:
    """Send the command to the agents, and print their answers."""
    all_plumbings = read_plumbings(context, [])
    names = context.arguments.what
    asked = read_plumbings(context, names) if names else all_plumbings
    recipients = {name: (body, "") for name, body in asked.items()}
    answers = send_command(context, LIST_NEIGHBOURS, "neighbours", recipients)
    rows = neighbour_rows([a for a in answers.values() if a is not None], all_plumbings.values())
    if context.output.is_json:
        context.output.json([row._asdict() for row in rows])
    elif rows:
        context.output.table(HEADS, [(*row[:5], row.ours or "-") for row in rows])
    else:
        context.output.line("no node knows any neighbour")
    raise_if_unanswered(context, answers)
    return ExitCode.OK
