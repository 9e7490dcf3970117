"""`announce`: has nodes look at everything anew, and tell the segment what they hold."""

import argparse
from collections import defaultdict
from typing import Final

from duravip_api.annotations import ANNOUNCE
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.node_commands import ask, complain, plumbings
from duravip_cli.views.addresses import units, unknown
from duravip_cli.views.objects import Lists

MOST_NAMED = 1000
"""Of more addresses on one node it announces all that it has: an annotation is not that long."""

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


def run(call: Call) -> Code:
    """Ask, and wait until it is done."""
    given = [call.meant(text) for text in call.asked.what]
    named = _owned(call, given) if given else {}
    asked = {
        name: (body, ",".join(named[name]) if given and len(named[name]) <= MOST_NAMED else "")
        for name, body in plumbings(call, sorted(named)).items()
    }
    answers = ask(call, ANNOUNCE, "announce", asked)
    if call.output.is_json:
        call.output.json(
            [
                {"node": name, "addresses": named.get(name), "done": answer is not None}
                for name, answer in answers.items()
            ]
        )
    else:
        for name, answer in answers.items():
            what = ", ".join(named[name]) if given else "all that it holds"
            does = "announces" if answer is not None else "was asked to announce"
            call.output.line(f"{name} {does} {what}")
    complain(call, answers)
    return Code.FINE


def _owned(call: Call, given: list[str]) -> dict[str, list[str]]:
    """The addresses that are meant, by owner."""
    lists = Lists(duravips=call.api.list("DuraVIP"), bindings=call.api.list("Binding"))
    if missing := unknown(lists, given):
        raise CommandError(f"no DuraVIP or Binding has the address or name {', '.join(missing)}")
    found: dict[str, list[str]] = defaultdict(list)
    for unit in units(lists, given):
        if not unit.owner:
            raise CommandError(f"{unit.address or unit.entities[0]} has no owner to announce it")
        found[unit.owner].append(unit.address)
    return found
