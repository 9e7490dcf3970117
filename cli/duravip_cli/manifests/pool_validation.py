"""Checks AddressPools: beside each other, and beside the Topologies that their addresses need.

Of two pools that share an address the older one keeps it, and in files the first one is the older.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from duravip_api.addresses import Range, subtract
from duravip_api.reasons import Reason
from duravip_cli.address_ranges import format_range, read_range
from duravip_cli.manifests.documents import Document, Problem
from duravip_cli.objects import Body, metadata_of, name_of, spec_of
from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_runtime.text import summarize


class _Block(NamedTuple):
    """A Topology, as far as pools depend on it."""

    name: str
    block: Range
    namespaces: frozenset[str] | None
    """The namespaces that it admits; None: all."""


def pool_problems(
    documents: Sequence[Document],
    pools: Iterable[Body],
    topologies: Iterable[Body],
    *,
    knows_topologies: bool,
) -> Iterator[Problem]:
    """The problems of the AddressPools among the documents.

    `pools` are those of the cluster, `topologies` those of the cluster and of the files.
    """
    present = sorted(pools, key=lambda b: str(metadata_of(b).get("creationTimestamp") or ""))
    held = {name_of(body): parse_pool(body) for body in present}
    blocks = list(_blocks(topologies))
    for document in documents:
        if document.kind != "AddressPool":
            continue
        pool = parse_pool(document.body)
        yield from _own_problems(document, pool, held)
        if knows_topologies:
            yield from _topology_problems(document, pool, blocks)
        held[pool.name] = pool


def _own_problems(
    document: Document, pool: AddressPool, held: Mapping[str, AddressPool]
) -> Iterator[Problem]:
    if pool.rejection:
        why = pool.rejection.message.removeprefix(f"{pool.label}: ")
        yield Problem(document.file, document.label, "", f"{why} ({pool.rejection.reason})")
    for other in held.values():
        if other.name != pool.name and (shared := overlap(pool.ranges, other.ranges)):
            named = summarize(list(map(format_range, shared)))
            message = f"AddressPool {other.name} has {named} already: no two may share an address"
            yield Problem(document.file, document.label, "spec.ranges", message)


def _topology_problems(
    document: Document, pool: AddressPool, blocks: Sequence[_Block]
) -> Iterator[Problem]:
    spans = [block.block for block in blocks]
    bare = [part for one in pool.ranges for part in subtract(one, spans)]
    if bare:
        named = summarize(list(map(format_range, bare)))
        message = f"no Topology covers {named}: nobody gets them ({Reason.NO_TOPOLOGY})"
        yield Problem(document.file, document.label, "spec.ranges", message, is_warning=True)
    for block in blocks:
        if block.namespaces is None or not overlap(pool.ranges, (block.block,)):
            continue
        if pool.namespaces is None:
            message = f"Topology {block.name} admits {_listed(block.namespaces)} alone"
        elif strangers := pool.namespaces - block.namespaces:
            message = f"Topology {block.name} does not admit {_listed(strangers)}"
        else:
            continue
        yield Problem(document.file, document.label, "spec.namespaces", message, is_warning=True)


def overlap(some: Iterable[Range], others: Sequence[Range]) -> list[Range]:
    """The addresses that are in both."""
    return [
        part
        for one in some
        for other in others
        if other.family == one.family
        for part in (Range(one.family, max(one.first, other.first), min(one.last, other.last)),)
        if part.first <= part.last
    ]


def _blocks(topologies: Iterable[Body]) -> Iterator[_Block]:
    for body in topologies:
        spec = spec_of(body)
        try:
            block = read_range(str(spec.get("cidr")))
        except ValueError:
            continue
        names = spec.get("namespaces")
        yield _Block(name_of(body), block, None if names is None else frozenset(map(str, names)))


def _listed(names: Iterable[str]) -> str:
    return summarize(sorted(names), noun="namespaces")
