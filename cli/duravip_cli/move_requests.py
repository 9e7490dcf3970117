"""Writes and removes the requests of `move` and `release`: annotations of an address's objects."""

from collections.abc import Mapping
from contextlib import suppress

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, format_request
from duravip_cli.context import Context
from duravip_cli.errors import CommandError
from duravip_cli.explain.move_checks import spent_requests
from duravip_cli.views.addresses import AddressRow, objects_of
from duravip_cli.views.objects import Body, EntityKind, ObjectLists


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
    notes = (body.get("metadata") or {}).get("annotations") or {}
    present = [name for name in (MOVE_TO, RELEASE_FROM) if name in notes]
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
