"""What the page shows, each part encoded once, and what has changed of it since.

The page is told by messages, JSON objects with some of these members:

    begin       true: forget everything; what follows is the whole
    operator    {replica, version, leader, epoch, leads, replicas, synced}
    nodes       [node…], those that differ; lostNodes: [name…]
    segments    [Topology…], those that differ; lostSegments: [name…]
    rows        [address…], those that differ; lostRows: [id…]
    moves       [move…], those that are new
    end         true: this was the whole
    heard       {node: seconds since it was heard}, once a second, with
    apiMs       what a slow request to the API server has taken lately
    full        so many look already that nothing else comes

An object that is unchanged is the same value in the caches, so finding what differs costs a
comparison of identities for each.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import is_
from typing import Final

from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.snapshot import Liveness, Snapshot, Topology, VipObject
from duravip_operator.page.moves import ToldMove, last_move, latest
from duravip_operator.page.rows import (
    NO_REPORT,
    NodeFacts,
    OwnerReport,
    address_row,
    depends_on_owner,
    node_column,
    owner_report,
    segment_row,
)
from duravip_operator.page.sources import Facts

MAX_SEGMENTS: Final = 256
"""More Topologies are not shown."""
ROWS_PER_MESSAGE: Final = 512

Encoded = bytes
"""A part as JSON, in ASCII and on one line."""


def encode(value: object) -> Encoded:
    """The value as JSON."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def message(**members: Encoded | Sequence[Encoded]) -> bytes:
    """One server-sent event; members that are lists hold encoded items, and are sent if any."""
    parts = [
        b'"%s":%s' % (name.encode(), value if isinstance(value, bytes) else _listed(value))
        for name, value in members.items()
        if value
    ]
    return b"data: {%s}\n\n" % b",".join(parts) if parts else b""


def _listed(items: Sequence[Encoded]) -> Encoded:
    return b"[%s]" % b",".join(items)


class PageModel:
    """Knows what was told last. In the page's thread."""

    def __init__(self) -> None:
        self._operator: Encoded = b""
        self._nodes: dict[str, Encoded] = {}
        self._node_facts: dict[str, NodeFacts] = {}
        """What the nodes were made of."""
        self._segments: dict[str, Encoded] = {}
        self._segments_made_of: tuple[object, ...] = ()
        self._topologies: Sequence[Topology] = ()
        self._eligibility: Eligibility | None = None
        self._rows: dict[str, Encoded] = {}
        """By uid."""
        self._ids: dict[str, str] = {}
        self._vips: dict[str, VipObject] = {}
        """The objects that the rows were made of, by uid."""
        self._owners: dict[str, str] = {}
        """By uid: the owner of each row that shows what its agent reports."""
        self._reports: dict[str, OwnerReport] = {}
        self._reported_by: dict[str, object] = {}
        """By node: the NodePlumbing that the report was read from."""
        self._endpoints: Mapping[str, ServiceEndpoints] = {}
        self._moves: list[ToldMove] = []

    def whole(self) -> Iterator[bytes]:
        """Everything that is known at this moment, as messages, each made when it is its turn."""
        overview = message(
            begin=b"true",
            operator=self._operator,
            nodes=list(self._nodes.values()),
            segments=list(self._segments.values()),
            moves=[encode(move.as_json()) for move in self._moves],
        )
        return chain((overview,), _in_pieces(list(self._rows.values())), (message(end=b"true"),))

    def update_overview(self, facts: Facts) -> bytes:
        """Take the replica and the nodes; the message about what differs, if anything does."""
        operator, before = encode(facts.operator), self._operator
        self._operator = operator
        known, self._node_facts = self._node_facts, _node_facts(facts)
        columns = {
            name: self._nodes[name] if known.get(name) == now else encode(node_column(now))
            for name, now in self._node_facts.items()
        }
        nodes, former_nodes = _replaced(self._nodes, columns)
        return message(
            operator=b"" if operator == before else operator,
            nodes=nodes,
            lostNodes=former_nodes,
        )

    def outdated_segments(self, facts: Facts) -> Sequence[Topology]:
        """The Topologies to be shown anew, all or none; `update_segments` shows them."""
        topologies = facts.topologies[:MAX_SEGMENTS]
        nics = {name: plumbing.nics for name, plumbing in facts.plumbings.items()}
        made_of = (topologies, nics, facts.nodes, facts.pulse.hearing, facts.pulse.witnessed)
        if made_of == self._segments_made_of and all(map(is_, topologies, self._topologies)):
            return ()
        self._segments_made_of, self._topologies = made_of, topologies
        snapshot = Snapshot(
            topologies=topologies,
            nodes=facts.nodes,
            plumbings=facts.plumbings,
            liveness=facts.pulse.hearing,
            suspicions=facts.pulse.silences,
            witnessed=facts.pulse.witnessed,
        )
        self._eligibility = Eligibility(snapshot)
        return topologies

    def update_segments(self, topologies: Sequence[Topology]) -> list[Encoded]:
        """Show these Topologies; those that differ."""
        changed = []
        for topology in topologies:
            used: Mapping[str, int] = {}
            unwitnessed: list[str] = []
            if self._eligibility and not topology.rejection:
                used = self._eligibility.count_nodes(topology)
                unwitnessed = self._eligibility.unwitnessed_nodes(topology)
            segment = encode(segment_row(topology, used, unwitnessed))
            if self._segments.get(topology.name) != segment:
                self._segments[topology.name] = segment
                changed.append(segment)
        return changed

    def remove_segments(self) -> list[Encoded]:
        """Forget the Topologies that are gone; their names."""
        gone = self._segments.keys() - {topology.name for topology in self._topologies}
        for name in gone:
            del self._segments[name]
        return [encode(name) for name in gone]

    def update_moves(self, told: Iterable[ToldMove]) -> list[Encoded]:
        """Take these moves; those that are new, and not too old to be shown."""
        known = set(self._moves)
        new = [move for move in told if move not in known]
        if not new:
            return []
        self._moves = latest([*self._moves, *new])
        return [encode(move.as_json()) for move in self._moves if move not in known]

    def outdated(self, facts: Facts) -> list[VipObject]:
        """The objects whose rows are to be made anew; `update_rows` makes them."""
        moved = self._nodes_with_other_reports(facts)
        others = facts.endpoints != self._endpoints
        self._endpoints = facts.endpoints
        return [
            vip
            for vip in facts.vips
            if self._vips.get(vip.uid) is not vip
            or (
                vip.uid in self._owners
                and (self._owners[vip.uid] in moved or (others and vip.readiness))
            )
        ]

    def _nodes_with_other_reports(self, facts: Facts) -> frozenset[str]:
        moved: set[str] = set(self._reports.keys() - facts.plumbings.keys())
        for name in moved:
            del self._reports[name], self._reported_by[name]
        for name, plumbing in facts.plumbings.items():
            if self._reported_by.get(name) is plumbing:
                continue
            self._reported_by[name] = plumbing
            report = owner_report(plumbing)
            if self._reports.get(name, NO_REPORT) != report:
                moved.add(name)
            self._reports[name] = report
        return frozenset(moved)

    def update_rows(self, vips: Sequence[VipObject]) -> list[Encoded]:
        """Make the rows of these objects; those that differ."""
        changed = []
        for vip in vips:
            owner = str(vip.status.get("owner") or "")
            report = self._reports.get(owner, NO_REPORT)
            row = encode(address_row(vip, report, self._endpoints))
            if self._rows.get(vip.uid) != row:
                self._rows[vip.uid] = row
                changed.append(row)
            self._vips[vip.uid], self._ids[vip.uid] = vip, vip.label
            if depends_on_owner(vip):
                self._owners[vip.uid] = owner
            else:
                self._owners.pop(vip.uid, None)
        return changed

    def remove_rows(self, facts: Facts) -> list[Encoded]:
        """Forget the objects that are gone; their ids. To be called when all rows were made."""
        if len(self._vips) == len(facts.vips):
            return []
        gone = self._vips.keys() - {vip.uid for vip in facts.vips}
        there = {vip.label for vip in facts.vips} if gone else frozenset()
        ids = []
        for uid in gone:
            del self._vips[uid], self._rows[uid]
            self._owners.pop(uid, None)
            name = self._ids.pop(uid)
            if name not in there:  # else it was made again, and its row is another one by now
                ids.append(encode(name))
        return ids


def _in_pieces(rows: Sequence[Encoded]) -> Iterator[bytes]:
    for first in range(0, len(rows), ROWS_PER_MESSAGE):
        yield message(rows=rows[first : first + ROWS_PER_MESSAGE])


def moves_told(vips: Iterable[VipObject]) -> list[ToldMove]:
    """The moves that these objects tell of."""
    return latest(move for vip in vips if (move := last_move(vip)))


def _node_facts(facts: Facts) -> dict[str, NodeFacts]:
    pulse = facts.pulse
    names = sorted(facts.nodes.keys() | facts.plumbings.keys())
    return {
        name: NodeFacts(
            name,
            facts.nodes.get(name),
            facts.plumbings.get(name),
            pulse.hearing.get(name, Liveness.UNKNOWN),
            pulse.silences.get(name),
            facts.heartbeats.get(name),
        )
        for name in names
    }


def _replaced(
    known: dict[str, Encoded], now: Mapping[str, Encoded]
) -> tuple[list[Encoded], list[Encoded]]:
    """Put `now` in the place of what is known: what differs, and the names of what is gone."""
    changed = [part for name, part in now.items() if known.get(name) != part]
    gone = [encode(name) for name in known.keys() - now.keys()]
    known.clear()
    known.update(now)
    return changed, gone
