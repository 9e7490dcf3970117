"""`mailq`: the mail queues of the nodes, by Binding and domain."""

import argparse
from typing import Any, Final, NamedTuple

from duravip_api.annotations import format_clock_time
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.listing import FORMS, Listing
from duravip_cli.mail_pods import Answers, add_mail_listing, read_rows, show_mail
from duravip_cli.output import Output


class QueueRow(NamedTuple):
    """All messages of one Binding for one domain, on one node."""

    group: str
    binding: str
    domain: str
    node: str
    active: int
    deferred: int
    oldest: str
    """When the oldest of them came to the node (RFC 3339)."""
    reason: str
    """Why most of them wait."""


VERB: Final = Verb(
    summary="Show the mail queues of the nodes, by Binding and domain",
    details=(
        "Mail that waits for another node is listed under default/#mmove, with the address of its "
        "Binding as the domain; mail without a Binding under default/default, and mail of a "
        "Binding that is not there under default/-."
    ),
    examples=(
        ("mailq", "all queues"),
        ("mailq -b smtp-1 -o wide", "those of one Binding, and why their mail waits"),
        ("mailq --node n1 -w", "of one node, and again whenever one changes"),
    ),
    forms=FORMS,
)


def _cells(row: QueueRow, output: Output) -> tuple[object, ...]:
    name = f"{row.group}/{row.binding}"
    age = output.ago(row.oldest)
    return (name, row.domain, row.node, row.active, row.deferred, age, row.reason or "-")


QUEUES: Final = Listing[QueueRow](
    heads=("GROUP/BINDING", "DOMAIN", "NODE", "ACTIVE", "DEFERRED", "OLDEST"),
    wide=("REASON",),
    cells=_cells,
    plain=QueueRow._asdict,
    names=lambda row: [f"vipbinding/{row.binding}"],
    key=lambda row: (row.binding, row.domain, row.node),
    deleted=lambda row: row._replace(active=0, deferred=0),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `mailq` takes."""
    add_mail_listing(parser)


def run(context: Context) -> ExitCode:
    """Print the queues."""
    return show_mail(context, QUEUES, _rows, ("mailq",), "no mail is queued")


def _rows(answers: Answers) -> list[QueueRow]:
    return sorted(read_rows(answers, _row))


def _row(said: dict[str, Any]) -> QueueRow:
    return QueueRow(
        group=str(said["group"]),
        binding=str(said["binding"]),
        domain=str(said["domain"]),
        node=str(said["node"]),
        active=int(said["active"]),
        deferred=int(said["deferred"]),
        oldest=format_clock_time(int(said["oldest"])),
        reason=str(said.get("reason", "")),
    )
