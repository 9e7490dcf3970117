"""The annotations that verbs write: requests on an address's objects, and commands to agents.

`move` and `release` write a request on an object of the address. `announce`, `reset` and
`neighbours` write a command on NodePlumbings, and collect the answers from their statuses.
"""

from collections.abc import Mapping
from contextlib import suppress

from duravip_api.annotations import (
    MOVE_TO,
    RELEASE_FROM,
    format_request,
    format_time,
    parse_request,
)
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError
from duravip_cli.objects import (
    Body,
    EntityKind,
    ObjectLists,
    annotations_of,
    name_of,
    status_of,
)
from duravip_cli.rows import AddressRow, objects_of
from duravip_operator.core import move_requests

Answers = dict[str, Body | None]
"""`{node: its NodePlumbing with the answer in it}`; None: the agent has not answered."""


def write_request(
    context: Context, lists: ObjectLists, row: AddressRow, wanted: Mapping[str, str]
) -> tuple[EntityKind, Body]:
    """Write `NODE@TIME` on the address's oldest object, and remove all earlier requests."""
    time, move = context.api.now(), str(row.last_move.get("time") or "")
    values = {name: format_request(node, time, move) for name, node in wanted.items()}
    first, *others = objects_of(lists, row)
    context.api.annotate(*first, {MOVE_TO: None, RELEASE_FROM: None, **values})
    for kind, body in others:
        remove_requests(context, kind, body)
    return first


def remove_requests(context: Context, kind: EntityKind, body: Body) -> bool:
    """Remove the requests on one object; returns whether there were any."""
    present = [name for name in (MOVE_TO, RELEASE_FROM) if name in annotations_of(body)]
    if present:
        context.api.annotate(kind, body, dict.fromkeys(present))
    return bool(present)


def remove_spent_requests(context: Context, kind: EntityKind, body: Body) -> None:
    """Remove the requests on an object that have had their effect, if that is allowed."""
    meta = body["metadata"]
    with suppress(CommandError):
        current = context.api.read(kind, meta["name"], meta.get("namespace", ""))
        if current and (names := spent_requests(current)):
            context.api.annotate(kind, current, dict.fromkeys(names))


def spent_requests(body: Body) -> list[str]:
    """The request annotations that have had their effect, or were overruled."""
    notes = annotations_of(body)
    in_force = {request.releases for request in move_requests.parse_requests(body)[0]}
    return [
        name
        for name, releases in ((MOVE_TO, False), (RELEASE_FROM, True))
        if name in notes and parse_request(str(notes[name])) and releases not in in_force
    ]


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
