"""Requests that people make by annotation, and which of them are still in force.

- `move-to` holds the address on a node. It is spent once the address has left that node after the
  request was made: whatever took it away has overruled the request.
- `release-from` takes the address away from a node. It is spent once the address has left that
  node, or has moved at all since the request was made.

A request that cannot be parsed, or that a preference forbids, has no effect, and a condition
says so (`advisories`).
"""

from collections.abc import Mapping
from math import inf
from typing import Any

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, Request, parse_request, parse_time
from duravip_operator.core.snapshot import MoveRequest

MAX_SHOWN_CHARS = 64
"""A message quotes this much of an annotation, which may be a quarter of a megabyte long."""


def parse_requests(body: Mapping[str, Any]) -> tuple[tuple[MoveRequest, ...], tuple[str, ...]]:
    """`(requests in force, one sentence for each annotation that cannot be parsed)` of an object.

    `body` is a DuraVIP or a Binding as the API server returns it.
    """
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    requests: list[MoveRequest] = []
    unparsable: list[str] = []
    for annotation in (MOVE_TO, RELEASE_FROM):
        text = annotations.get(annotation)
        if text is None:
            continue
        request = parse_request(str(text))
        if request is None:
            unparsable.append(
                f"metadata.annotations: {annotation}: {quoted(text)} is not of the form NODE@TIME"
            )
            continue
        releases = annotation == RELEASE_FROM
        if not _is_spent(request, (body.get("status") or {}).get("lastMove"), releases=releases):
            requests.append(MoveRequest(request.time, request.node, releases))
    return tuple(requests), tuple(unparsable)


def quoted(text: object) -> str:
    """Foreign text, quoted for a message and cut to `MAX_SHOWN_CHARS`."""
    return repr(str(text)[:MAX_SHOWN_CHARS])


def is_refused(request: MoveRequest, preference: str, failback_s: float) -> bool:
    """Whether a preference forbids it: the preferred node would take the address back."""
    is_against = bool(preference) and (request.node == preference) == request.releases
    return is_against and failback_s != inf


def _is_spent(request: Request, move: Mapping[str, Any] | None, *, releases: bool) -> bool:
    if not move:
        return False
    has_left = move.get("from") == request.node != move.get("to")
    is_later = (parse_time(str(move.get("time"))) or 0.0) > request.time
    has_moved = is_later and move.get("from") != move.get("to")
    return has_left or has_moved if releases else has_left and is_later
