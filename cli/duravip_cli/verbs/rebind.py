"""`rebind`: has queued mail looked at again, as if it had just entered."""

import argparse
from typing import Final, NamedTuple

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.mail_pods import add_mail_arguments, raise_if_silent, run_on_nodes


class Rebound(NamedTuple):
    """What a node did."""

    node: str
    messages: int


VERB: Final = Verb(
    summary="Have the queued mail of a Binding looked at again, and tried at once",
    details=(
        "Each message is written once more, and goes where its Binding is now. It happens by "
        "itself when an address moves: this is for what waits for another reason."
    ),
    examples=(
        ("rebind smtp-1", "what is deferred of one Binding, on every node"),
        ("rebind --all --node n1", "of every Binding, on one node"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rebind` takes."""
    parser.add_argument("name", nargs="?", metavar="BINDING", help="a Binding's name")
    parser.add_argument("--all", action="store_true", help="of every Binding")
    add_mail_arguments(parser)


def run(context: Context) -> ExitCode:
    """Rebind, and print how many messages there were on each node."""
    name, is_all = context.arguments.name, context.arguments.all
    if bool(name) == is_all:
        raise CommandError("give a Binding's name or --all, and not both", ExitCode.USAGE)
    done: list[Rebound] = []

    def keep(node: str, said: str) -> None:
        done.append(Rebound(node, int(said.split(" ", maxsplit=1)[0])))

    failures = run_on_nodes(context, ("rebind", "--all" if is_all else name), keep)
    if context.output.is_json:
        context.output.json([one._asdict() for one in done])
    else:
        for node, messages in done:
            context.output.line(f"{node}: {messages} messages are looked at again")
    raise_if_silent(failures)
    return ExitCode.OK
