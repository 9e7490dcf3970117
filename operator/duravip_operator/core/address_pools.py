"""AddressPools: the addresses that Services may get without asking for one.

- Of two pools that share an address the older counts, and the younger is rejected as a whole.
- A pool gives out what lies in a Topology's block and no node is kept from holding: no edge of the
  block, nothing reserved, with `avoidBuggyIPs` nothing that ends in .0 or .255. Its namespaces and
  those of the Topology must both admit the Service.
- Of several pools that a Service may use the one with the lowest `priority` comes first, then by
  name; within a pool its own name decides (`pool_spaces`).
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from duravip_api.addresses import (
    Range,
    from_int,
    merge_ranges,
    parse_network,
    parse_range,
    subtract,
    to_int,
)
from duravip_api.addresspool import AddressPoolSpec
from duravip_api.reasons import Reason
from duravip_operator.core.pool_spaces import Space
from duravip_operator.core.snapshot import Rejection
from duravip_operator.core.topologies import Blocks, is_edge


class AddressPool(NamedTuple):
    """Addresses, and which Services may have them."""

    name: str
    uid: str
    created: str
    generation: int = 1
    ranges: tuple[Range, ...] = ()
    """In ascending order, disjoint."""
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    namespaces: frozenset[str] | None = None
    """The namespaces that may use it; None: all."""
    priority: int = 100
    rejection: Rejection | None = None
    """Why it cannot be used; None: it can."""
    status: Mapping[str, Any] = {}
    """The status as it stands in the API."""

    @property
    def label(self) -> str:
        """The object's name for a message."""
        return f"AddressPool {self.name}"

    def admits(self, namespace: str) -> bool:
        """Whether Services of the namespace may have its addresses."""
        return self.namespaces is None or namespace in self.namespaces


class PoolStatus(NamedTuple):
    """What the operator writes into the status of an AddressPool."""

    reason: Reason
    message: str
    total4: int = 0
    """How many IPv4 addresses it can give out."""
    used4: int = 0
    """How many of them some object names."""
    total6: int = 0
    used6: int = 0


def parse_pool(body: Mapping[str, Any]) -> AddressPool:
    """An AddressPool; with a rejection if it cannot be used."""
    meta = body.get("metadata") or {}
    pool = AddressPool(
        name=str(meta.get("name", "")),
        uid=str(meta.get("uid", "")),
        created=str(meta.get("creationTimestamp", "")),
        generation=int(meta.get("generation") or 1),
        status=body.get("status") or {},
    )
    try:
        spec = AddressPoolSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, ("spec", *first["loc"])))
        return _rejected(pool, f"{field}: {first['msg']}")
    try:
        ranges = merge_ranges(map(_parse_item, spec.ranges))
    except ValueError as error:
        return _rejected(pool, f"spec.ranges: not an address, a range or a block: {error}")
    return pool._replace(
        ranges=ranges,
        auto_assign=spec.auto_assign,
        avoid_buggy_ips=spec.avoid_buggy_ips,
        namespaces=None if spec.namespaces is None else frozenset(spec.namespaces),
        priority=spec.priority,
    )


def _parse_item(item: str) -> Range:
    """An item of `spec.ranges`; ValueError if it is none."""
    if "/" not in item:
        return parse_range(item)
    block = parse_network(item)
    if block is None:
        raise ValueError(f"{item!r} is not a network block without host bits")
    return Range(block.version, int(block.network_address), int(block.broadcast_address))


def _rejected(pool: AddressPool, why: str) -> AddressPool:
    return pool._replace(rejection=Rejection(Reason.INVALID, f"{pool.label}: {why}"[:1000]))


class PoolTable:
    """All pools, judged, and what is taken of them."""

    def __init__(self, pools: Iterable[AddressPool], blocks: Blocks) -> None:
        self.blocks = blocks
        self.pools = {pool.name: pool for pool in judge(pools)}
        self._spaces: dict[str, list[Space]] = {}
        self._uncovered: dict[str, str] = {}
        """By pool: an address of it that no Topology covers."""
        for pool in self.pools.values():
            self._spaces[pool.name] = self._of(pool, blocks) if not pool.rejection else []
        self._order = sorted(
            (pool for pool in self.pools.values() if not pool.rejection),
            key=lambda pool: (pool.priority, pool.name),
        )
        self._ranges = sorted((span, pool) for pool in self._order for span in pool.ranges)

    def pool_of(self, address: str) -> AddressPool | None:
        """The pool that an address belongs to."""
        family, number = to_int(address)
        at = bisect_right(self._ranges, (Range(family, number, 1 << 128),)) - 1
        if at < 0:
            return None
        span, pool = self._ranges[at]
        return pool if span.family == family and span.first <= number <= span.last else None

    def take(
        self, addresses: Iterable[str], occupied: Iterable[str] = ()
    ) -> dict[str, PoolStatus]:
        """The state of each pool where objects name these addresses.

        Those, and the `occupied` ones of other hosts, are given out no more.
        """
        named: dict[int, set[int]] = {4: set(), 6: set()}
        others: dict[int, set[int]] = {4: set(), 6: set()}
        for found, listed in ((named, addresses), (others, occupied)):
            for address in listed:
                family, number = to_int(address)
                found[family].add(number)
        states = {}
        for pool in self.pools.values():
            for space in self._spaces[pool.name]:
                space.take(named[space.family])
            states[pool.name] = self._state(pool)
            for space in self._spaces[pool.name]:
                if others[space.family]:
                    space.take(named[space.family] | others[space.family])
        return states

    def choose(self, namespace: str, name: str, family: int, asked: str) -> tuple[str, str] | None:
        """`(address, pool)` for a Service; None: there is none. `asked` names a pool, or none."""
        key = f"{namespace}/{name}/{family}"
        for pool in self._order:
            if (pool.name != asked if asked else not pool.auto_assign) or not pool.admits(
                namespace
            ):
                continue
            for space in self._spaces[pool.name]:
                is_admitted = space.namespaces is None or namespace in space.namespaces
                if space.family == family and is_admitted:
                    number = space.choose(key)
                    if number is not None:
                        return from_int(family, number), pool.name
        return None

    def claim(self, address: str) -> None:
        """This address is given out as well."""
        family, number = to_int(address)
        pool = self.pool_of(address)
        for space in self._spaces[pool.name] if pool else ():
            if space.family == family:
                space.claim(number)

    def _of(self, pool: AddressPool, blocks: Blocks) -> list[Space]:
        """What the pool gives out, by the namespaces that the Topologies admit."""
        found: dict[tuple[int, frozenset[str] | None], list[Range]] = {}
        for span in pool.ranges:
            for part in _cut(span, _bounds(blocks, span.family)):
                topology = blocks.topology_of(from_int(part.family, part.first))
                if topology is None:
                    self._uncovered.setdefault(pool.name, from_int(part.family, part.first))
                    continue
                found.setdefault((part.family, topology.namespaces), []).append(part)
        reserved = merge_ranges(
            span for topology in blocks.topologies for span in topology.reserved
        )
        spaces = []
        for (_, namespaces), parts in found.items():
            left = [rest for part in parts for rest in subtract(part, reserved)]
            left = [one for one in left if not _is_edge(blocks, one)]
            if left:
                spaces.append(Space(left, namespaces, avoids_buggy=pool.avoid_buggy_ips))
        return spaces

    def _state(self, pool: AddressPool) -> PoolStatus:
        if pool.rejection:
            return PoolStatus(*pool.rejection)
        total, used = {4: 0, 6: 0}, {4: 0, 6: 0}
        for space in self._spaces[pool.name]:
            total[space.family] += space.total
            used[space.family] += space.used
        counts = (total[4], used[4], total[6], used[6])
        if bare := self._uncovered.get(pool.name):
            why = f"spec.ranges: no Topology covers {bare}"
            return PoolStatus(Reason.NO_TOPOLOGY, why, *counts)
        return PoolStatus(Reason.ACCEPTED, Reason.ACCEPTED.sentence, *counts)


def judge(pools: Iterable[AddressPool]) -> Iterator[AddressPool]:
    """The pools, the oldest first; those that share addresses with an older one are rejected."""
    taken: list[tuple[Range, str]] = []
    for pool in sorted(pools, key=lambda one: (one.created, one.name)):
        shared = next(filter(None, (_shared(taken, span) for span in pool.ranges)), None)
        if shared and not pool.rejection:
            address, older = shared
            why = f"{pool.label}: spec.ranges: AddressPool {older} has {address} already"
            yield pool._replace(rejection=Rejection(Reason.OVERLAP, why))
            continue
        for span in () if pool.rejection else pool.ranges:
            insort(taken, (span, pool.name))
        yield pool


def _shared(taken: list[tuple[Range, str]], span: Range) -> tuple[str, str] | None:
    """`(an address of the range, the pool that has it)`; `taken` is sorted and disjoint."""
    at = bisect_right(taken, (Range(span.family, span.last, 1 << 128), "")) - 1
    if at < 0:
        return None
    other, name = taken[at]
    if other.family != span.family or other.last < span.first:
        return None
    return from_int(span.family, max(span.first, other.first)), name


def _bounds(blocks: Blocks, family: int) -> list[int]:
    """Where another Topology may begin; the edges of blocks are parts of their own."""
    found: set[int] = set()
    for topology in blocks.topologies:
        if topology.family == family and not topology.rejection:
            last = topology.last
            found |= {topology.first, topology.first + 1, last, last + 1}
    return sorted(found)


def _cut(span: Range, bounds: list[int]) -> Iterator[Range]:
    """The parts of a range between the bounds, each of which begins a part."""
    inner = bounds[bisect_right(bounds, span.first) : bisect_right(bounds, span.last)]
    for first, end in zip([span.first, *inner], [*inner, span.last + 1], strict=True):
        yield Range(span.family, first, end - 1)


def _is_edge(blocks: Blocks, part: Range) -> bool:
    """Whether it is one address, and one at the edge of its block."""
    address = from_int(part.family, part.first)
    topology = blocks.topology_of(address)
    return part.first == part.last and topology is not None and is_edge(topology, address)
