"""The rows of `show`: one for each address, from the statuses of its objects."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from duravip_api.addresses import to_int
from duravip_cli.errors import CommandError
from duravip_cli.views.objects import (
    Body,
    EntityKind,
    ObjectLists,
    condition,
    label_of,
    matches,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)

KindAndBody = tuple[EntityKind, Body]
_FLAGS = ("Broken", "Conflict", "Unsafe")


class AddressRow(NamedTuple):
    """An address, with all objects that name it."""

    address: str
    """Empty: a Binding without one."""
    owner: str
    state: str
    """Empty: no operator has written a status yet."""
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
    """The node on which `move` holds it; empty: none."""

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        fields = self._asdict()
        fields["lastMove"] = dict(fields.pop("last_move")) or None
        return fields


def address_rows(lists: ObjectLists, given: Iterable[str] | None = None) -> list[AddressRow]:
    """The addresses that the arguments name, in order; None: every address."""
    groups: dict[str, list[KindAndBody]] = defaultdict(list)
    arguments = tuple(given or ())
    matched: set[str] = set()
    for kind, body in lists.entities():
        address = str(spec_of(body).get("address") or "")
        key = address or label_of(kind, body)
        groups[key].append((kind, body))
        if any(matches(text, body) for text in arguments):
            matched.add(key)
    shown = groups.keys() if given is None else matched
    return [_row(groups[key]) for key in sorted(shown, key=address_order)]


def unmatched(lists: ObjectLists, given: Iterable[str]) -> list[str]:
    """The arguments that name no object and no address."""
    bodies = [body for _, body in lists.entities()]
    return [text for text in given if not any(matches(text, body) for body in bodies)]


def exactly_one(rows: list[AddressRow], given: str) -> AddressRow:
    """The only row; CommandError when there is none, or there are several."""
    if not rows:
        raise CommandError(f"no DuraVIP or Binding has the address or name {given}")
    if len(rows) > 1:
        listed = ", ".join(sorted(row.address or "none" for row in rows))
        raise CommandError(f"{given} names several addresses ({listed}): give one of them")
    return rows[0]


def objects_of(lists: ObjectLists, row: AddressRow) -> list[KindAndBody]:
    """The objects of an address, the oldest first; without refused ones, unless all are."""
    objects = [(k, body) for k, body in lists.entities() if label_of(k, body) in row.entities]
    objects.sort(key=lambda pair: _seniority(*pair))
    return [
        (k, body) for k, body in objects if status_of(body).get("state") != "Broken"
    ] or objects


def _representative(entities: Iterable[KindAndBody]) -> Body:
    """The object whose status holds for the address: that of a refused one holds for it alone."""
    ranks = {"Owned": 0, "Moving": 1, "Unassigned": 2, "Unmanaged": 3, "Broken": 4, "": 5}
    return min(
        (body for _, body in entities),
        key=lambda body: ranks.get(str(status_of(body).get("state") or ""), 5),
    )


def _row(entities: list[KindAndBody]) -> AddressRow:
    body = _representative(entities)
    status, ready = status_of(body), condition(body, "Ready")
    specs = [spec_of(entity) for _, entity in entities]
    is_of_it = status.get("address") in {None, spec_of(body).get("address")}
    flags = {
        flag
        for _, entity in entities
        for flag in str(status_of(entity).get("flags") or "-").split(",")
    }
    return AddressRow(
        address=str(spec_of(body).get("address") or ""),
        owner=str(status.get("owner") or ""),
        state=str(status.get("state") or ""),
        flags=",".join(flag for flag in _FLAGS if flag in flags) or "-",
        preference=",".join(sorted({str(s["preference"]) for s in specs if s.get("preference")})),
        follows=",".join(sorted({str(s["follow"]) for s in specs if s.get("follow")})),
        since=str(status.get("since") or ""),
        interface=str(status.get("interface") or ""),
        participants=status.get("participants"),
        reason=str(ready.get("reason") or ""),
        message=str(ready.get("message") or ""),
        # After an edit the status is about the former address until the new one is served.
        last_move=(status.get("lastMove") or {}) if is_of_it else {},
        held=str(status.get("owner") or "") if condition(body, "Held") else "",
        entities=tuple(sorted(label_of(kind, entity) for kind, entity in entities)),
    )


def _seniority(kind: str, body: Body) -> tuple[str, str, str, str]:
    meta = body.get("metadata") or {}
    created = str(meta.get("creationTimestamp") or "")
    return (created, namespace_of(body), name_of(body), kind)


def address_order(key: str) -> tuple[int, int, str]:
    """A key that sorts addresses as numbers, and other texts behind them."""
    try:
        return (*to_int(key), "")
    except ValueError:
        return (9, 0, key)
