"""Which of the requests that people made, by annotations, are still to be heeded.

- `move-to` holds the address on a node. It is spent once the address has left that node later than
  it was asked for: whatever took it away has overruled it.
- `release-from` takes the address from a node. It is spent once the address has gone from there,
  or has moved at all since it was asked for.

A request that cannot be read, or that a preference forbids, does nothing, and says so.
"""

from collections.abc import Mapping
from typing import Any

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, Request, parse_request, parse_time
from duravip_operator.core.snapshot import MoveRequest

MAX_SHOWN_CHARS = 64
"""Characters of an annotation that are shown; it may have a quarter of a million."""


def parse_requests(body: Mapping[str, Any]) -> tuple[tuple[MoveRequest, ...], tuple[str, ...]]:
    """`(requests in force, what is wrong with others)` of a DuraVIP or Binding."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    found: list[MoveRequest] = []
    unread: list[str] = []
    for annotation in (MOVE_TO, RELEASE_FROM):
        text = annotations.get(annotation)
        if text is None:
            continue
        request = parse_request(str(text))
        if request is None:
            unread.append(f"metadata.annotations: {annotation}: {quoted(text)} is no NODE@TIME")
            continue
        releases = annotation == RELEASE_FROM
        if not _is_spent(request, (body.get("status") or {}).get("lastMove"), releases=releases):
            found.append(MoveRequest(request.time, request.node, releases))
    return tuple(found), tuple(unread)


def quoted(text: object) -> str:
    """What somebody wrote, for a message: as much as tells what it is."""
    return repr(str(text)[:MAX_SHOWN_CHARS])


def is_refused(request: MoveRequest, preference: str) -> bool:
    """Whether a preference forbids it: the preferred node would take the address back at once."""
    return bool(preference) and (request.node == preference) == request.releases


def _is_spent(request: Request, move: Mapping[str, Any] | None, *, releases: bool) -> bool:
    if not move:
        return False
    has_left = move.get("from") == request.node != move.get("to")
    is_later = (parse_time(str(move.get("time"))) or 0.0) > request.time
    has_moved = is_later and move.get("from") != move.get("to")
    return has_left or has_moved if releases else has_left and is_later
