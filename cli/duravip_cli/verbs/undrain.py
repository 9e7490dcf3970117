"""`undrain`: puts a drained node back."""

import argparse
from typing import Final

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.views.nodes import exclusion

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


def run(context: Context) -> ExitCode:
    """Remove the label, unless somebody else has set it."""
    name = context.arguments.node
    value = exclusion(context.read_node(name))
    if value not in {None, DRAINED} and not context.arguments.force:
        raise CommandError(
            f"{name} was not taken out by `drain`: its label {EXCLUDE_LABEL} says {value!r}; "
            "remove it with --force"
        )
    if value is not None:
        context.api.label_node(name, EXCLUDE_LABEL, None)
    if context.output.is_json:
        context.output.json({"node": name, "changed": value is not None})
    elif value is None:
        context.output.line(f"{name} was not taken out")
    else:
        context.output.line(f"{name} is back: the addresses that prefer it return")
    return ExitCode.OK
