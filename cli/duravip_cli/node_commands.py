"""Sends commands to agents, by an annotation of their NodePlumbings, and collects the answers."""

from collections.abc import Mapping

from duravip_api.annotations import format_time
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError
from duravip_cli.views.objects import Body, name_of, status_of

Answers = dict[str, Body | None]
"""`{node: its NodePlumbing with the answer in it}`; None: the agent has not answered."""


def read_plumbings(context: Context, names: list[str]) -> dict[str, Body]:
    """`{node: NodePlumbing}` of these nodes, or of all; CommandError when one is missing."""
    present = {name_of(body): body for body in context.api.list("NodePlumbing")}
    if missing := sorted(set(names) - present.keys()):
        raise CommandError(f"there is no NodePlumbing of the node {', '.join(missing)}")
    return {name: present[name] for name in names} if names else present


def send_command(
    context: Context, annotation: str, field: str, recipients: Mapping[str, tuple[Body, str]]
) -> Answers:
    """Send a command to `{node: (NodePlumbing, detail)}`, and wait unless --no-wait was given.

    An agent confirms the command by its time, in `status.requests.<field>`.
    """
    time = format_time(context.api.now())
    for body, detail in recipients.values():
        context.api.annotate("NodePlumbing", body, {annotation: f"{time} {detail}".strip()})
    answers: Answers = dict.fromkeys(recipients)
    if not context.arguments.wait:
        return answers

    def look() -> Answers | None:
        for name in [name for name, answer in answers.items() if answer is None]:
            body = context.api.read("NodePlumbing", name) or {}
            if (status_of(body).get("requests") or {}).get(field) == time:
                answers[name] = body
        return answers if None not in answers.values() else None

    wait_for(context, look)
    return answers


def raise_if_unanswered(context: Context, answers: Answers) -> None:
    """Raise a CommandError that names the agents without an answer, unless --no-wait was given."""
    silent = [name for name, answer in answers.items() if answer is None]
    if silent and context.arguments.wait:
        raise CommandError(
            f"no answer within {context.arguments.timeout:g} s from the agent of "
            f"{', '.join(silent)}: see `kubectl duravip nodes`"
        )
