"""`announce`: has agents read their spec again, and send gratuitous ARP for their addresses."""

import argparse
from collections import defaultdict
from typing import Final

from duravip_api.annotations import ANNOUNCE
from duravip_cli.annotations import raise_if_unanswered, read_plumbings, send_command
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.rows import address_rows, require_matches
from duravip_cli.targets import Target

MAX_NAMED = 1000
"""With more, a node announces all its addresses: an annotation cannot list them."""

VERB: Final = Verb(
    summary="Have nodes read everything anew, and announce their addresses on the segment",
    details=(
        "For clients, switches or firewalls that still send to a former owner. Nothing moves; it "
        "may be repeated."
    ),
    examples=(
        ("announce", "every node, all that it holds"),
        ("announce 10.1.1.1 mail/smtp-1", "these two, by their owners"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `announce` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME", help="default: all")
    add_wait(parser, "wait until the agents say that they have done it", 10)


def run(context: Context) -> ExitCode:
    """Send the command, and wait until the agents have carried it out."""
    given = context.targets(context.arguments.what)
    named = _owned(context, given) if given else {}
    recipients = {
        name: (body, ",".join(named[name]) if given and len(named[name]) <= MAX_NAMED else "")
        for name, body in read_plumbings(context, sorted(named)).items()
    }
    answers = send_command(context, ANNOUNCE, "announce", recipients)
    if context.output.is_json:
        context.output.json(
            [
                {"node": name, "addresses": named.get(name), "done": answer is not None}
                for name, answer in answers.items()
            ]
        )
    else:
        for name, answer in answers.items():
            what = ", ".join(named[name]) if given else "all that it holds"
            does = "announces" if answer is not None else "was asked to announce"
            context.output.line(f"{name} {does} {what}")
    raise_if_unanswered(context, answers)
    return ExitCode.OK


def _owned(context: Context, given: list[Target]) -> dict[str, list[str]]:
    """`{owner: its addresses}` of the addresses that the arguments name."""
    lists = context.read_entities()
    require_matches(lists, given)
    owned: dict[str, list[str]] = defaultdict(list)
    for row in address_rows(lists, given):
        if not row.owner:
            raise CommandError(f"{row.address or row.entities[0]} has no owner to announce it")
        owned[row.owner].append(row.address)
    return owned
