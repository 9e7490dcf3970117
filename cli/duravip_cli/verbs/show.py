"""`show`: all addresses, with what the operator has written into the statuses."""

import argparse
from typing import Final

from duravip_cli.command_line import Verb, add_listing
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.listing import FORMS, Listing, show
from duravip_cli.objects import ObjectLists, kubectl_name
from duravip_cli.output import Output
from duravip_cli.rows import AddressRow, address_rows, require_matches
from duravip_cli.targets import parse_target

VERB: Final = Verb(
    summary="Show addresses: owner, state, flags, and the objects on them",
    details="What is shown is what the operator has written into the statuses.",
    examples=(
        ("show", "all addresses"),
        ("show 10.1.1.1 -o json", "one, for a program"),
        ("show -n mail -o wide", "those of one namespace, with last moves and reasons"),
        ("show -l app=web -w", "those of objects with a label, and again whenever one changes"),
    ),
    forms=FORMS,
)


def _cells(row: AddressRow, output: Output) -> tuple[object, ...]:
    return (
        row.address or "-",
        row.owner,
        row.state,
        _flags(row),
        row.preference,
        row.follows,
        output.ago(row.since),
        ", ".join(row.entities),
        output.move(row.last_move),
        row.interface,
        row.expose,
        row.participants,
        row.reason,
        row.message,
    )


def _flags(row: AddressRow) -> str:
    """The flags of the status, and `Held`."""
    if not row.held:
        return row.flags
    return "Held" if row.flags == "-" else f"{row.flags},Held"


ADDRESSES: Final = Listing[AddressRow](
    heads=("ADDRESS", "OWNER", "STATE", "FLAGS", "PREFERENCE", "FOLLOWS", "SINCE", "OBJECTS"),
    wide=("LASTMOVE", "INTERFACE", "EXPOSE", "PARTICIPANTS", "REASON", "MESSAGE"),
    cells=_cells,
    plain=AddressRow.as_json,
    names=lambda row: [kubectl_name(label) for label in row.entities],
    key=lambda row: row.address or row.entities,
    deleted=lambda row: row._replace(state="Deleted", owner=""),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `show` takes."""
    parser.add_argument(
        "what", nargs="*", metavar="ADDRESS|NAME", help="or TYPE/NAME; default: all"
    )
    add_listing(parser)


def run(context: Context) -> ExitCode:
    """Print the addresses."""
    arguments = context.arguments
    namespace = "" if arguments.all_namespaces else context.namespace
    given = [parse_target(text, namespace) for text in arguments.what]
    lists = ObjectLists()

    def read() -> list[AddressRow]:
        nonlocal lists
        lists = context.read_entities(namespace, arguments.selector)
        return address_rows(lists, given or None)

    nothing = f"no DuraVIPs or Bindings{f' in {namespace}' if namespace else ''}"
    show(context, ADDRESSES, read, "" if given else nothing)
    require_matches(lists, given)
    return ExitCode.OK
