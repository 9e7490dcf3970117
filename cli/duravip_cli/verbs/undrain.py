"""`undrain`: puts a drained node back."""

import argparse
from typing import Final

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.rows import exclusion
from duravip_cli.targets import parse_node

VERB: Final = Verb(
    summary="Put drained nodes back",
    details="Preferred addresses return at once. Refused when the label was not set by `drain`.",
    examples=(
        ("undrain n1", "the reverse of drain"),
        ("undrain n1 --force", "whoever has set the label"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `undrain` takes."""
    parser.add_argument("nodes", nargs="+", metavar="NODE", type=parse_node)
    parser.add_argument(
        "--force", action="store_true", help="even if somebody else has drained it"
    )


def run(context: Context) -> ExitCode:
    """Remove the labels, unless somebody else has set one of them."""
    names = list(dict.fromkeys(context.arguments.nodes))
    values = {name: exclusion(context.read_node(name)) for name in names}
    for name, value in values.items():
        if value not in {None, DRAINED} and not context.arguments.force:
            raise CommandError(
                f"{name} was not taken out by `drain`: its label {EXCLUDE_LABEL} says {value!r}; "
                "remove it with --force"
            )
    for name, value in values.items():
        if value is not None:
            context.api.label_node(name, EXCLUDE_LABEL, None)
    if context.output.is_json:
        reports = [{"node": name, "changed": value is not None} for name, value in values.items()]
        context.output.json(reports if len(reports) > 1 else reports[0])
        return ExitCode.OK
    for name, value in values.items():
        if value is None:
            context.output.line(f"{name} was not taken out")
        else:
            context.output.line(f"{name} is back: the addresses that prefer it return")
    return ExitCode.OK
