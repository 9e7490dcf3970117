"""`show`: all addresses, with what the operator has written into the statuses."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.output import Output
from duravip_cli.views.addresses import AddressRow, address_rows, unmatched
from duravip_cli.views.objects import ObjectLists

HEADS = ("ADDRESS", "OWNER", "STATE", "FLAGS", "PREFERENCE", "FOLLOWS", "SINCE", "LASTMOVE",
         "OBJECTS")  # fmt: skip
WIDE = ("INTERFACE", "PARTICIPANTS", "REASON", "MESSAGE")

VERB: Final = Verb(
    summary="Show addresses: owner, state, flags, last move, and the objects on them",
    details="What is shown is what the operator has written into the statuses.",
    examples=(
        ("show", "all addresses"),
        ("show 10.1.1.1 -o json", "one, for a program"),
        ("show -n mail -o wide", "those of one namespace, with the reasons"),
    ),
    forms=("json", "wide"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `show` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME", help="default: all")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")


def run(context: Context) -> ExitCode:
    """Print the addresses."""
    given, namespace = context.arguments.what, context.namespace
    if context.arguments.all_namespaces:
        namespace = ""
    lists = ObjectLists(
        duravips=context.api.list("DuraVIP", namespace),
        bindings=context.api.list("Binding", namespace),
    )
    rows = address_rows(lists, given or None)
    if context.output.is_json:
        context.output.json([row.as_json() for row in rows])
    elif rows:
        heads = (*HEADS, *WIDE) if context.output.is_wide else HEADS
        context.output.table(heads, _rows(rows, context.output))
    elif not given:
        context.output.line(f"no DuraVIPs or Bindings{f' in {namespace}' if namespace else ''}")
    if missing := unmatched(lists, given):
        raise CommandError(f"no DuraVIP or Binding has the address or name {', '.join(missing)}")
    return ExitCode.OK


def _rows(rows: list[AddressRow], output: Output) -> Iterator[tuple[object, ...]]:
    for row in rows:
        cells = (
            row.address or "-",
            row.owner,
            row.state,
            _flags(row),
            row.preference,
            row.follows,
            output.ago(row.since),
            output.move(row.last_move),
            ", ".join(row.entities),
        )
        wide = (row.interface, row.participants, row.reason, row.message)
        yield (*cells, *wide) if output.is_wide else cells


def _flags(row: AddressRow) -> str:
    """The flags of the status, and `Held`."""
    if not row.held:
        return row.flags
    return "Held" if row.flags == "-" else f"{row.flags},Held"
