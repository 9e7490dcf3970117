"""`reset`: has a node unplumb everything and take anew what it is granted. Clients notice it."""

import argparse
from typing import Final

from duravip_api.annotations import RESET
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Call, awaited
from duravip_cli.errors import Code, CommandError
from duravip_cli.node_commands import Answers, ask, complain, plumbings
from duravip_cli.views.nodes import Machine, machines
from duravip_cli.views.objects import Body, name_of

VERB: Final = Verb(
    summary="Have a node unplumb everything, and take anew what it is granted",
    details=(
        "Its addresses are silent for a moment: so it asks for confirmation. Nothing moves to "
        "another node."
    ),
    examples=(
        ("reset n1", "asks first"),
        ("reset n1 --yes", "does not"),
        ("reset --all --yes", "every node at the same time"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `reset` takes."""
    parser.add_argument("node", nargs="?", metavar="NODE")
    parser.add_argument("--all", action="store_true", help="every node")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_wait(parser, "wait until everything is served again", 30)


def run(call: Call) -> Code:
    """Ask for confirmation, then ask the agents, and wait until they serve again."""
    asked = call.asked
    if bool(asked.node) == asked.all:
        raise CommandError("give either a NODE or --all", Code.UNUSABLE)
    bodies = plumbings(call, [asked.node] if asked.node else [])
    _confirm(call, [_machine(body) for body in bodies.values()])
    answers = ask(call, RESET, "reset", {name: (body, "") for name, body in bodies.items()})
    found = [_again(call, answer) for answer in answers.values() if answer is not None]
    _print(call, answers, found)
    complain(call, answers)
    late = [machine.name for machine in found if not _is_whole(machine)]
    if late:
        raise CommandError(
            f"not all that is granted is served again on {', '.join(late)}: see `kubectl duravip "
            "nodes -o wide`"
        )
    return Code.FINE


def _confirm(call: Call, found: list[Machine]) -> None:
    """The name of the node, or `all`, has to be typed, unless --yes was given."""
    if call.asked.yes:
        return
    word = call.asked.node or "all"
    served = sum(machine.served for machine in found)
    typed = call.typed(
        f"{served} addresses fall silent on {', '.join(machine.name for machine in found)} until "
        f"they are taken again. Type `{word}` to go on: "
    )
    if typed is None:
        raise CommandError("a reset interrupts traffic: confirm it with --yes", Code.UNUSABLE)
    if typed.strip() != word:
        raise CommandError("nothing was reset")


def _machine(body: Body) -> Machine:
    return machines(({"metadata": {"name": name_of(body)}},), (body,))[0]


def _is_whole(machine: Machine) -> bool:
    return machine.served == machine.granted and not machine.is_behind


def _again(call: Call, body: Body) -> Machine:
    """The node once it serves all that it is granted, or as it is when that takes too long."""
    last = _machine(body)

    def look() -> Machine | None:
        nonlocal last
        last = _machine(call.api.read("NodePlumbing", name_of(body)) or body)
        return last if _is_whole(last) else None

    return awaited(call, look) or last


def _print(call: Call, answers: Answers, found: list[Machine]) -> None:
    if call.output.is_json:
        told = {machine.name: machine for machine in found}
        call.output.json(
            [
                {
                    "node": name,
                    "done": name in told,
                    "granted": told[name].granted if name in told else None,
                    "served": told[name].served if name in told else None,
                }
                for name in answers
            ]
        )
        return
    for machine in found:
        call.output.line(
            f"{machine.name} has begun anew, and serves {machine.served} of {machine.granted} "
            "addresses"
        )
    if not call.asked.wait:
        call.output.line(f"asked to begin anew: {', '.join(answers)}")
