"""`neighbours`: whom the kernels of the nodes know on their segments."""

import argparse
from collections.abc import Iterable
from typing import Final, NamedTuple

from duravip_api.annotations import LIST_NEIGHBOURS
from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code
from duravip_cli.node_commands import ask, complain, plumbings
from duravip_cli.views.objects import Body, name_of, status_of


class Row(NamedTuple):
    """A host that a node knows."""

    node: str
    interface: str
    address: str
    mac: str
    state: str
    ours: str
    """Which of our nodes it is, and whether by an address of DuraVIP; empty: a stranger."""


def rows(answers: Iterable[Body], plumbings: Iterable[Body]) -> list[Row]:
    """Every neighbour in the answers; the NodePlumbings tell who is who."""
    by_mac: dict[str, str] = {}
    by_address: dict[str, str] = {}
    for body in plumbings:
        status, name = status_of(body), name_of(body)
        for nic in status.get("nics") or ():
            by_mac[str(nic.get("mac"))] = name
            by_address |= {a.partition("/")[0]: name for a in nic.get("addresses") or ()}
        by_address |= {str(a): f"{name} (DuraVIP)" for a in status.get("served") or ()}
    return [
        Row(
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
    parser.add_argument("what", nargs="*", metavar="NODE", help="default: all")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS",
        help="for the agents to answer (default: 10)",
    )  # fmt: skip
    parser.set_defaults(wait=True)


def run(call: Call) -> Code:
    """Ask the agents, and print what they answer."""
    everybody = plumbings(call, [])
    asked = plumbings(call, call.asked.what) if call.asked.what else everybody
    answers = ask(call, LIST_NEIGHBOURS, "neighbours", {n: (b, "") for n, b in asked.items()})
    found = rows([a for a in answers.values() if a is not None], everybody.values())
    if call.output.is_json:
        call.output.json([row._asdict() for row in found])
    elif found:
        call.output.table(HEADS, [(*row[:5], row.ours or "-") for row in found])
    else:
        call.output.line("no node knows any neighbour")
    complain(call, answers)
    return Code.FINE
