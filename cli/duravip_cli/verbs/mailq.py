"""`mailq`: the mail queues of the nodes, by Binding and domain."""

import argparse
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.listing import FORMS, Listing, show
from duravip_cli.mail_pods import add_mail_arguments, ask_mail, raise_if_silent, read_rows
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
    parser.add_argument("-b", "--binding", metavar="BINDING", help="default: all")
    add_mail_arguments(parser)
    parser.add_argument("-w", "--watch", action="store_true", help="go on, and print what changes")
    parser.add_argument("--no-headers", action="store_true", help="no line with names of columns")


def run(context: Context) -> ExitCode:
    """Print the queues."""
    failures: dict[str, str] = {}

    def read() -> list[QueueRow]:
        answers = ask_mail(context, "mailq")
        rows = read_rows(answers, _row)
        failures.clear()
        failures.update(answers.failures)
        wanted = context.arguments.binding
        return sorted(row for row in rows if wanted in {None, row.binding})

    rows = show(context, QUEUES, read)
    raise_if_silent(failures)
    if not rows and context.output.form in {"table", "wide"}:
        context.output.line("no mail is queued")
    return ExitCode.OK


def _row(said: dict[str, Any]) -> QueueRow:
    oldest = datetime.fromtimestamp(int(said["oldest"]), UTC)
    return QueueRow(
        group=str(said["group"]),
        binding=str(said["binding"]),
        domain=str(said["domain"]),
        node=str(said["node"]),
        active=int(said["active"]),
        deferred=int(said["deferred"]),
        oldest=oldest.isoformat().replace("+00:00", "Z"),
        reason=str(said.get("reason", "")),
    )
