"""`moves`: which messages nodes have handed over to each other, or have tried to."""

import argparse
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from duravip_api.fields import parse_duration
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.listing import FORMS, Listing
from duravip_cli.mail_pods import Answers, add_mail_listing, read_rows, show_mail
from duravip_cli.output import Output


class MoveRow(NamedTuple):
    """One try for one recipient."""

    time: str
    from_node: str
    to_node: str
    """Empty: nobody has taken it, or the node that has does not answer."""
    binding: str
    queue_id: str
    """By which the node that had it knew the message."""
    their_queue_id: str
    """By which the node that took it knows it."""
    size: int
    """In bytes; 0: that is not known any more."""
    result: str
    """Postfix' word, e.g. sent or deferred."""
    address: str
    recipient: str
    answer: str

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        names = {
            "from_node": "from", "to_node": "to", "queue_id": "queueId",
            "their_queue_id": "queueIdThere",
        }  # fmt: skip
        return {names.get(name, name): value for name, value in self._asdict().items()}


VERB: Final = Verb(
    summary="List the messages that nodes have handed over to each other, the oldest first",
    details=(
        "One line for each try and recipient, from Postfix' logs on the nodes: at most the 10000 "
        "latest of a node."
    ),
    examples=(
        ("moves", "of the last hour"),
        ("moves --since 24h -b smtp-1 -o wide", "of a day and one Binding, with the answers"),
    ),
    forms=FORMS,
)


def _cells(row: MoveRow, output: Output) -> tuple[object, ...]:
    return (
        row.time.replace("T", " "),
        output.ago(row.time),
        row.from_node,
        row.to_node or "-",
        row.binding or "-",
        row.queue_id,
        row.their_queue_id or "-",
        row.size or "-",
        row.result,
        row.address or "-",
        row.recipient,
        row.answer,
    )


MOVES: Final = Listing[MoveRow](
    heads=("TIME", "AGO", "FROM", "TO", "BINDING", "ID", "ID THERE", "SIZE", "RESULT"),
    wide=("ADDRESS", "RECIPIENT", "ANSWER"),
    cells=_cells,
    plain=MoveRow.as_json,
    names=lambda row: [f"vipbinding/{row.binding}"] if row.binding else [],
    key=lambda row: (row.time, row.from_node, row.queue_id, row.recipient),
    deleted=lambda row: row._replace(result="Forgotten"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `moves` takes."""
    parser.add_argument(
        "--since", default="1h", metavar="DURATION", type=_duration,
        help="how long ago at most, e.g. 30m or 24h (default: 1h)",
    )  # fmt: skip
    add_mail_listing(parser)


def run(context: Context) -> ExitCode:
    """Print the moves."""
    since = context.arguments.since
    words = ("moves", f"--since={since}")
    return show_mail(context, MOVES, move_rows, words, f"no mail was handed over within {since}")


def move_rows(answers: Answers) -> list[MoveRow]:
    """The tries; the node that took a message is the one that has its name there."""
    takers = dict(_takers(answers.rows))
    answers.rows = [row for row in answers.rows if not row.get("is_taken")]
    found = read_rows(answers, _row)
    return sorted(row._replace(to_node=takers.get(row.their_queue_id, "")) for row in found)


def _takers(rows: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    for row in rows:
        if row.get("is_taken"):
            yield str(row.get("queue_id")), str(row["node"])


def _row(said: dict[str, Any]) -> MoveRow:
    return MoveRow(
        time=str(said["time"]),
        from_node=str(said["node"]),
        to_node="",
        binding=str(said["binding"]),
        queue_id=str(said["queue_id"]),
        their_queue_id=str(said["their_queue_id"]),
        size=int(said["size"]),
        result=str(said["result"]),
        address=str(said["address"]),
        recipient=str(said["recipient"]),
        answer=str(said["answer"]),
    )


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
