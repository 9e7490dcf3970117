"""`undrain`: puts a drained node back."""

import argparse
from typing import Final

from duravip_api import EXCLUDE_LABEL
from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.verbs.drain import VALUE, excluded

VERB: Final = Verb(
    summary="Put a drained node back",
    details="Preferred addresses return at once. Refused when the label was not set by `drain`.",
    examples=(
        ("undrain n1", "the reverse of drain"),
        ("undrain n1 --force", "whoever has set the label"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `undrain` takes."""
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "--force", action="store_true", help="even if somebody else has drained it"
    )


def run(call: Call) -> Code:
    """Remove the label, unless somebody else has set it."""
    name = call.asked.node
    value = excluded(call.api, name)
    if value not in {None, VALUE} and not call.asked.force:
        raise CommandError(
            f"{name} was not taken out by `drain`: its label {EXCLUDE_LABEL} says {value!r}; "
            "remove it with --force"
        )
    if value is not None:
        call.api.label_node(name, EXCLUDE_LABEL, None)
    if call.output.is_json:
        call.output.json({"node": name, "changed": value is not None})
    elif value is None:
        call.output.line(f"{name} was not taken out")
    else:
        call.output.line(f"{name} is back: the addresses that prefer it return")
    return Code.FINE
