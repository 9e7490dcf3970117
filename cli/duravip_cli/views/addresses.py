"""The rows of `show`: one an address, told from what the statuses say."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from duravip_api.addresses import to_int
from duravip_cli.views.objects import (
    Body,
    EntityKind,
    Lists,
    condition,
    is_meant,
    label_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)

Entity = tuple[EntityKind, Body]
_FLAGS = ("Broken", "Conflict", "Unsafe")


class Unit(NamedTuple):
    """An address with everybody who names it."""

    address: str
    """Empty: a Binding without one."""
    owner: str
    state: str
    """Empty: no operator has said anything of it yet."""
    flags: str
    preference: str
    follows: str
    since: str
    interface: str
    participants: int | None
    reason: str
    message: str
    last_move: Body
    entities: tuple[str, ...]
    held: str = ""
    """The node on which somebody has asked for it to stay; empty: none."""

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        fields = self._asdict()
        fields["lastMove"] = dict(fields.pop("last_move")) or None
        return fields


def units(lists: Lists, given: Iterable[str] | None = None) -> list[Unit]:
    """The units that the arguments mean, in the order of addresses; None: every unit."""
    groups: dict[str, list[Entity]] = defaultdict(list)
    wanted = tuple(given or ())
    meant: set[str] = set()
    for kind, body in lists.entities():
        address = str(spec_of(body).get("address") or "")
        key = address or label_of(kind, body)
        groups[key].append((kind, body))
        if any(is_meant(text, body) for text in wanted):
            meant.add(key)
    shown = groups.keys() if given is None else meant
    return [_unit(groups[key]) for key in sorted(shown, key=order)]


def unknown(lists: Lists, given: Iterable[str]) -> list[str]:
    """The arguments that mean nothing."""
    bodies = [body for _, body in lists.entities()]
    return [text for text in given if not any(is_meant(text, body) for body in bodies)]


def members(lists: Lists, unit: Unit) -> list[Entity]:
    """Everybody on the unit who is not refused, or all if they all are; the oldest first."""
    found = [(k, body) for k, body in lists.entities() if label_of(k, body) in unit.entities]
    found.sort(key=lambda pair: _seniority(*pair))
    return [(k, body) for k, body in found if status_of(body).get("state") != "Broken"] or found


def speaker(entities: Iterable[Entity]) -> Body:
    """The body whose status speaks for the unit: one that is refused speaks for itself alone."""
    ranks = {"Owned": 0, "Moving": 1, "Unassigned": 2, "Unmanaged": 3, "Broken": 4, "": 5}
    return min(
        (body for _, body in entities),
        key=lambda body: ranks.get(str(status_of(body).get("state") or ""), 5),
    )


def _unit(entities: list[Entity]) -> Unit:
    body = speaker(entities)
    status, ready = status_of(body), condition(body, "Ready")
    specs = [spec_of(entity) for _, entity in entities]
    is_of_it = status.get("address") in {None, spec_of(body).get("address")}
    found = {
        flag
        for _, entity in entities
        for flag in str(status_of(entity).get("flags") or "-").split(",")
    }
    return Unit(
        address=str(spec_of(body).get("address") or ""),
        owner=str(status.get("owner") or ""),
        state=str(status.get("state") or ""),
        flags=",".join(flag for flag in _FLAGS if flag in found) or "-",
        preference=",".join(sorted({str(s["preference"]) for s in specs if s.get("preference")})),
        follows=",".join(sorted({str(s["follow"]) for s in specs if s.get("follow")})),
        since=str(status.get("since") or ""),
        interface=str(status.get("interface") or ""),
        participants=status.get("participants"),
        reason=str(ready.get("reason") or ""),
        message=str(ready.get("message") or ""),
        # Until the address that is new in an edited object is served, it tells of the one before.
        last_move=(status.get("lastMove") or {}) if is_of_it else {},
        held=str(status.get("owner") or "") if condition(body, "Held") else "",
        entities=tuple(sorted(label_of(kind, entity) for kind, entity in entities)),
    )


def _seniority(kind: str, body: Body) -> tuple[str, str, str, str]:
    meta = body.get("metadata") or {}
    created = str(meta.get("creationTimestamp") or "")
    return (created, namespace_of(body), name_of(body), kind)


def order(key: str) -> tuple[int, int, str]:
    """Sorts addresses as numbers, and what is none behind them."""
    try:
        return (*to_int(key), "")
    except ValueError:
        return (9, 0, key)
