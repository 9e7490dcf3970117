"""`show`: all addresses, as the statuses have them."""

import argparse
from collections.abc import Iterator
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.output import Output
from duravip_cli.views.addresses import Unit, units, unknown
from duravip_cli.views.objects import Lists

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


def run(call: Call) -> Code:
    """Print the units."""
    given, namespace = call.asked.what, call.namespace
    if call.asked.all_namespaces:
        namespace = ""
    lists = Lists(
        duravips=call.api.list("DuraVIP", namespace), bindings=call.api.list("Binding", namespace)
    )
    found = units(lists, given or None)
    if call.output.is_json:
        call.output.json([unit.as_json() for unit in found])
    elif found:
        heads = (*HEADS, *WIDE) if call.output.is_wide else HEADS
        call.output.table(heads, _rows(found, call.output))
    elif not given:
        call.output.line(f"no DuraVIPs or Bindings{f' in {namespace}' if namespace else ''}")
    if missing := unknown(lists, given):
        raise CommandError(f"no DuraVIP or Binding has the address or name {', '.join(missing)}")
    return Code.FINE


def _rows(found: list[Unit], output: Output) -> Iterator[tuple[object, ...]]:
    for unit in found:
        row = (
            unit.address or "-",
            unit.owner,
            unit.state,
            _flags(unit),
            unit.preference,
            unit.follows,
            output.ago(unit.since),
            output.move(unit.last_move),
            ", ".join(unit.entities),
        )
        wide = (unit.interface, unit.participants, unit.reason, unit.message)
        yield (*row, *wide) if output.is_wide else row


def _flags(unit: Unit) -> str:
    """Those of the status; and that it is held, which is no fault."""
    if not unit.held:
        return unit.flags
    return "Held" if unit.flags == "-" else f"{unit.flags},Held"
