"""Asks agents for something, by an annotation of their NodePlumbing, and awaits the answer."""

from collections.abc import Mapping

from duravip_api.annotations import format_time
from duravip_cli.context import Call, awaited
from duravip_cli.errors import CommandError
from duravip_cli.views.objects import Body, name_of, status_of

Answers = dict[str, Body | None]
"""By node its NodePlumbing with the answer in it; None: the agent has not answered."""


def plumbings(call: Call, names: list[str]) -> dict[str, Body]:
    """The NodePlumbings of these nodes, or all of them; CommandError when one is not there."""
    found = {name_of(body): body for body in call.api.list("NodePlumbing")}
    if missing := sorted(set(names) - found.keys()):
        raise CommandError(f"there is no NodePlumbing of the node {', '.join(missing)}")
    return {name: found[name] for name in names} if names else found


def ask(call: Call, annotation: str, field: str, asked: Mapping[str, tuple[Body, str]]) -> Answers:
    """Ask these nodes, each with a detail of its own, and wait unless --no-wait was given.

    `field` is where in `status.requests` the agent says that it has done it.
    """
    time = format_time(call.api.now())
    for body, detail in asked.values():
        call.api.annotate("NodePlumbing", body, {annotation: f"{time} {detail}".strip()})
    if not call.asked.wait:
        return dict.fromkeys(asked)
    answers: Answers = dict.fromkeys(asked)

    def look() -> Answers | None:
        for name in [name for name, answer in answers.items() if answer is None]:
            body = call.api.read("NodePlumbing", name) or {}
            if (status_of(body).get("requests") or {}).get(field) == time:
                answers[name] = body
        return answers if None not in answers.values() else None

    awaited(call, look)
    return answers


def complain(call: Call, answers: Answers) -> None:
    """CommandError that names those who have not answered, if anybody waited for it."""
    silent = [name for name, answer in answers.items() if answer is None]
    if silent and call.asked.wait:
        raise CommandError(
            f"no answer within {call.asked.timeout:g} s from the agent of {', '.join(silent)}: "
            "see `kubectl duravip nodes`"
        )
