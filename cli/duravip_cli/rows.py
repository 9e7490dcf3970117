"""Rows as the verbs print them: of addresses (`show`) and of nodes (`nodes`).

An address's row comes from the statuses of its objects, a node's from its Node and NodePlumbing.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.addresses import to_int
from duravip_cli.errors import CommandError
from duravip_cli.objects import (
    Body,
    EntityKind,
    ObjectLists,
    condition,
    label_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from duravip_cli.targets import Target, listed

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
    expose: str = "All"
    """`Declared` if any of the objects lets in declared ports alone."""

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        fields = self._asdict()
        fields["lastMove"] = dict(fields.pop("last_move")) or None
        return fields


def address_rows(lists: ObjectLists, given: Iterable[Target] | None = None) -> list[AddressRow]:
    """The addresses that the arguments name, in order; None: every address."""
    groups: dict[str, list[KindAndBody]] = defaultdict(list)
    arguments = tuple(given or ())
    matched: set[str] = set()
    for kind, body in lists.entities():
        address = str(spec_of(body).get("address") or "")
        key = address or label_of(kind, body)
        groups[key].append((kind, body))
        if any(target.names(kind, body) for target in arguments):
            matched.add(key)
    shown = groups.keys() if given is None else matched
    return [_address_row(groups[key]) for key in sorted(shown, key=address_order)]


def require_matches(lists: ObjectLists, given: Iterable[Target]) -> None:
    """CommandError with the arguments that name no object and no address."""
    entities = list(lists.entities())
    if missing := [one for one in given if not any(one.names(*entity) for entity in entities)]:
        raise CommandError(f"no DuraVIP or Binding has the address or name {listed(missing)}")


def exactly_one(rows: list[AddressRow], given: Target) -> AddressRow:
    """The only row; CommandError when there is none, or there are several."""
    if not rows:
        raise CommandError(f"no DuraVIP or Binding has the address or name {given.text}")
    if len(rows) > 1:
        addresses = ", ".join(sorted(row.address or "none" for row in rows))
        raise CommandError(f"{given.text} names several addresses ({addresses}): give one of them")
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


def _address_row(entities: list[KindAndBody]) -> AddressRow:
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
        expose="Declared" if any(s.get("expose") == "Declared" for s in specs) else "All",
        entities=tuple(sorted(label_of(kind, entity) for kind, entity in entities)),
    )


def _seniority(kind: str, body: Body) -> tuple[str, str, str, str]:
    created = str(metadata_of(body).get("creationTimestamp") or "")
    return (created, namespace_of(body), name_of(body), kind)


def address_order(key: str) -> tuple[int, int, str]:
    """A key that sorts addresses as numbers, and other texts behind them."""
    try:
        return (*to_int(key), "")
    except ValueError:
        return (9, 0, key)


_SHOWN = frozenset({"Ready", "Heard"})
"""The conditions that the column READY is made of."""


class NodeRow(NamedTuple):
    """A node."""

    name: str
    ready: str
    """The agent's; empty: there is no NodePlumbing, or no agent has reported."""
    reason: str
    message: str
    granted: int
    served: int
    is_behind: bool
    """Whether the agent has not acted on the spec as it stands."""
    excluded: str
    """The value of the exclusion label, or `yes` if that is empty; empty: no label."""
    version: str
    failures: tuple[Body, ...]
    contested: tuple[Body, ...]
    notes: tuple[Body, ...]
    """Conditions beside Ready that are true, or whose name says what is wrong."""
    nics: tuple[Body, ...]
    is_known: bool
    """Whether there is a Node of this name."""
    has_plumbing: bool

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        fields = self._asdict()
        del fields["is_known"], fields["has_plumbing"]
        names = {"name": "node", "is_behind": "behind", "version": "agent", "notes": "conditions"}
        return {names.get(name, name): value for name, value in fields.items()}


def node_rows(nodes: tuple[Body, ...], plumbings: tuple[Body, ...]) -> list[NodeRow]:
    """A row for each Node and each NodePlumbing, in the order of names."""
    by_name = {name_of(body): body for body in nodes}
    plumbed = {name_of(body): body for body in plumbings}
    return [_node_row(name, by_name, plumbed) for name in sorted(by_name.keys() | plumbed.keys())]


def exclusion(node: Body) -> str | None:
    """The value of a Node's exclusion label; None: it has none."""
    labels = metadata_of(node).get("labels") or {}
    return str(labels[EXCLUDE_LABEL]) if EXCLUDE_LABEL in labels else None


def _readiness(body: Body) -> Body:
    """The condition Heard, which the operator writes, where it is worse than the agent's Ready."""
    heard, own = condition(body, "Heard"), condition(body, "Ready")
    return heard if heard.get("status") == "False" and own.get("status") != "False" else own


def _node_row(name: str, nodes: dict[str, Body], plumbings: dict[str, Body]) -> NodeRow:
    node, body = nodes.get(name, {}), plumbings.get(name, {})
    spec, status, ready = spec_of(body), status_of(body), _readiness(body)
    excluded = exclusion(node)
    generation = metadata_of(body).get("generation")
    return NodeRow(
        name=name,
        ready=str(ready.get("status") or ""),
        reason=str(ready.get("reason") or ""),
        message=str(ready.get("message") or ""),
        granted=int(spec.get("grantedCount") or 0),
        served=int(status.get("servedCount") or len(status.get("served") or ())),
        is_behind=bool(ready) and status.get("observedGeneration") != generation,
        excluded="" if excluded is None else excluded or "yes",
        version=str((status.get("agent") or {}).get("version") or ""),
        failures=tuple(status.get("failures") or ()),
        contested=tuple(status.get("contested") or ()),
        notes=tuple(c for c in status.get("conditions") or () if c.get("type") not in _SHOWN),
        nics=tuple(status.get("nics") or ()),
        is_known=bool(node),
        has_plumbing=bool(body),
    )
