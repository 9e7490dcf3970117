"""`reset`: has agents remove all addresses and plumb their grants again. Clients notice it."""

import argparse
from typing import Final

from duravip_api.annotations import RESET
from duravip_cli.annotations import Answers, raise_if_unanswered, read_plumbings, send_command
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import Body, name_of
from duravip_cli.rows import NodeRow, node_rows
from duravip_cli.targets import parse_node

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
    parser.add_argument("node", nargs="?", metavar="NODE", type=parse_node)
    parser.add_argument("--all", action="store_true", help="every node")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    add_wait(parser, "wait until everything is served again", 30)


def run(context: Context) -> ExitCode:
    """Ask for confirmation, send the command, and wait until the agents serve again."""
    arguments = context.arguments
    if bool(arguments.node) == arguments.all:
        raise CommandError("give either a NODE or --all", ExitCode.USAGE)
    bodies = read_plumbings(context, [arguments.node] if arguments.node else [])
    _confirm(context, [_row_of(body) for body in bodies.values()])
    recipients = {name: (body, "") for name, body in bodies.items()}
    answers = send_command(context, RESET, "reset", recipients)
    rows = [_wait_until_served(context, answer) for answer in answers.values() if answer]
    _print(context, answers, rows)
    raise_if_unanswered(context, answers)
    if late := [row.name for row in rows if not _serves_everything(row)]:
        raise CommandError(
            f"not all that is granted is served again on {', '.join(late)}: see `kubectl duravip "
            "nodes -o wide`"
        )
    return ExitCode.OK


def _confirm(context: Context, rows: list[NodeRow]) -> None:
    """Require that the node's name, or `all`, is typed, unless --yes was given."""
    if context.arguments.yes:
        return
    word = context.arguments.node or "all"
    served = sum(row.served for row in rows)
    typed = context.prompt(
        f"{served} addresses fall silent on {', '.join(row.name for row in rows)} until "
        f"they are taken again. Type `{word}` to go on: "
    )
    if typed is None:
        raise CommandError("a reset interrupts traffic: confirm it with --yes", ExitCode.USAGE)
    if typed.strip() != word:
        raise CommandError("nothing was reset")


def _row_of(body: Body) -> NodeRow:
    return node_rows(({"metadata": {"name": name_of(body)}},), (body,))[0]


def _serves_everything(row: NodeRow) -> bool:
    return row.served == row.granted and not row.is_behind


def _wait_until_served(context: Context, body: Body) -> NodeRow:
    """The node once it serves all that it is granted, or its state after --timeout."""
    last = _row_of(body)

    def look() -> NodeRow | None:
        nonlocal last
        last = _row_of(context.api.read("NodePlumbing", name_of(body)) or body)
        return last if _serves_everything(last) else None

    return wait_for(context, look) or last


def _print(context: Context, answers: Answers, rows: list[NodeRow]) -> None:
    if context.output.is_json:
        answered = {row.name: row for row in rows}
        context.output.json(
            [
                {
                    "node": name,
                    "done": name in answered,
                    "granted": answered[name].granted if name in answered else None,
                    "served": answered[name].served if name in answered else None,
                }
                for name in answers
            ]
        )
        return
    for row in rows:
        context.output.line(
            f"{row.name} has begun anew, and serves {row.served} of {row.granted} addresses"
        )
    if not context.arguments.wait:
        context.output.line(f"asked to begin anew: {', '.join(answers)}")
