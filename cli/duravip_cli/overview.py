"""All at one glance: who leads, which nodes are well, which addresses are not, what moved last."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from duravip_cli.objects import LEASE_LATE_AFTER_S, ObjectLists, namespace_of, spec_of
from duravip_cli.rows import AddressRow, NodeRow, address_rows, node_rows

MAX_MOVES: Final = 8
_WELL: Final = frozenset({"Owned", "Unmanaged"})


class Leader(NamedTuple):
    """Who leads."""

    name: str
    """Empty: nobody, or the Lease may not be read."""
    epoch: int = 0
    renewed_s: float | None = None
    """Seconds since the Lease was renewed; None: unknown."""

    @property
    def is_late(self) -> bool:
        """Whether it ought to have renewed its Lease since."""
        return self.renewed_s is not None and self.renewed_s > LEASE_LATE_AFTER_S


class Overview(NamedTuple):
    """What there is to know at one glance."""

    leader: Leader
    nodes: tuple[NodeRow, ...]
    states: dict[str, int]
    """`{state: number of addresses}`; empty: no operator has written a status yet."""
    wrong: tuple[AddressRow, ...]
    """Addresses that nobody serves as they should be served, or that have a flag."""
    moves: tuple[AddressRow, ...]
    """Those that moved last, the latest first."""
    refused: Mapping[str, str]
    """`{kind: why it could not be read}`."""

    @property
    def is_well(self) -> bool:
        """Whether nothing needs anybody's attention."""
        are_nodes_well = all(node.ready == "True" for node in self.nodes if node.has_plumbing)
        is_led = bool(self.leader.name or self.refused) and not self.leader.is_late
        return is_led and are_nodes_well and not self.wrong

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        return {
            "leader": self.leader._asdict(),
            "nodes": [node.as_json() for node in self.nodes],
            "addresses": self.states,
            "problems": [row.as_json() for row in self.wrong],
            "lastMoves": [row.as_json() for row in self.moves],
            "refused": dict(self.refused),
            "isWell": self.is_well,
        }


def overview(
    lists: ObjectLists, age: Callable[[str], float | None], namespace: str = ""
) -> Overview:
    """The overview; of addresses only those of a namespace, if one is given.

    `age` gives the seconds since a time of the API.
    """
    chosen = [(k, body) for k, body in lists.entities() if namespace in {"", namespace_of(body)}]
    shown = ObjectLists(
        duravips=tuple(body for kind, body in chosen if kind == "DuraVIP"),
        bindings=tuple(body for kind, body in chosen if kind == "Binding"),
    )
    rows = address_rows(shown)
    moved = [row for row in rows if row.last_move.get("from")]
    moved.sort(key=lambda row: str(row.last_move.get("time") or ""), reverse=True)
    return Overview(
        leader=_leader(lists, age),
        nodes=tuple(node_rows(lists.nodes, lists.plumbings)),
        states=dict(Counter(row.state for row in rows)),
        wrong=tuple(row for row in rows if row.state not in _WELL or row.flags != "-"),
        moves=tuple(moved[:MAX_MOVES]),
        refused=lists.refused,
    )


def _leader(lists: ObjectLists, age: Callable[[str], float | None]) -> Leader:
    spec = spec_of(lists.lease or {})
    name = str(spec.get("holderIdentity") or "")
    if not name:
        return Leader("")
    renewed = age(str(spec.get("renewTime") or ""))
    return Leader(name, int(spec.get("leaseTransitions") or 0), renewed)
