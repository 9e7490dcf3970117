"""A conversion: pools and segments as a program has them become AddressPools and Topologies.

The three programs differ in how they are configured; here is what is the same for all. A pool is
a name, ranges and restrictions. A segment says through which interfaces and nodes some ranges are
announced. What MetalLB and kube-vip never ask for, and a Topology needs, is the network block: it
comes from what the user says, from the nodes' own addresses, or it is guessed, and said so.

Whatever has no counterpart becomes a note, and the objects that are made are right without it.
Nothing is opened that was restricted: where a restriction of a pool cannot be carried, no Service
gets an address of it without asking.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from duravip_api import API_VERSION
from duravip_api.addresses import Range, merge_ranges, subtract
from duravip_cli.address_ranges import (
    edges_in,
    format_range,
    guess_block,
    holds,
    read_range,
)
from duravip_cli.manifests.schema import metadata_faults, schema_faults
from duravip_cli.objects import Body, label_of, metadata_of, name_of, spec_of, status_of
from duravip_runtime.text import summarize

MOST_RANGES: Final = 256
"""Ranges that an AddressPool may have."""


class PoolDraft(NamedTuple):
    """A pool of another program."""

    source: str
    """The object it comes from, for messages."""
    name: str
    ranges: tuple[Range, ...]
    spec: Mapping[str, Any] = {}
    """The fields of an AddressPool beside `ranges`."""


class SegmentDraft(NamedTuple):
    """Ranges that are announced in the same way."""

    source: str
    name: str
    ranges: tuple[Range, ...]
    interfaces: tuple[str, ...] = ()
    """Empty: whatever interface is in the network."""
    selector: Mapping[str, str] | None = None
    """Labels of the nodes that announce; None: all nodes."""
    block: Range | None = None
    """The network, if the program knows it."""


class Drafts(NamedTuple):
    """What is found in the configuration of one program."""

    pools: list[PoolDraft]
    segments: list[SegmentDraft]
    notes: list[str]


class Surroundings(NamedTuple):
    """What else is known, from options and, with --live, from the cluster."""

    blocks: tuple[Range, ...] = ()
    """Networks of the segments."""
    topologies: tuple[Body, ...] = ()
    """Topologies that exist already."""


class Conversion(NamedTuple):
    """Our objects, and what has no counterpart."""

    documents: list[Body]
    notes: list[str]


def read_ranges(
    source: str, items: Iterable[object], notes: list[str], *, without_edges: bool = False
) -> tuple[Range, ...]:
    """The ranges that can be read; the others become notes."""
    found: list[Range] = []
    for item in items:
        try:
            found.append(read_range(str(item), without_edges=without_edges))
        except ValueError:
            notes.append(f"{source}: {str(item)[:80]!r} is no range of addresses: not carried")
    return merge_ranges(found)


def node_blocks(plumbings: Iterable[Body]) -> tuple[Range, ...]:
    """The networks in which nodes have addresses of their own, as their agents report them."""
    found: set[Range] = set()
    for body in plumbings:
        for nic in status_of(body).get("nics") or ():
            for address in nic.get("addresses") or ():
                with suppress(ValueError):  # whatever an agent has written
                    found.add(read_range(str(address)))
    return tuple(sorted(network for network in found if network.first < network.last))


def convert(drafts: Drafts, around: Surroundings) -> Conversion:
    """The AddressPools and Topologies of these drafts, each of them such as is admitted."""
    notes = list(drafts.notes)
    # Topologies first: a pool whose addresses are in none yet would have its Services refused.
    documents = [*_topologies(drafts.segments, around, notes), *_pools(drafts.pools, notes)]
    return Conversion([body for body in documents if _is_admitted(body, notes)], notes)


def _is_admitted(body: Body, notes: list[str]) -> bool:
    """Whether the API server takes it: names and labels of others may be longer than ours."""
    kind = str(body["kind"])
    faults = [*metadata_faults(body["metadata"]), *schema_faults(kind, body)]
    for field, why in faults:
        notes.append(f"{label_of(kind, body)}: not made: {field}: {why}")
    return not faults


def _pools(drafts: Iterable[PoolDraft], notes: list[str]) -> Iterator[Body]:
    taken: list[Range] = []
    names: set[str] = set()
    for draft in drafts:
        left = [part for one in draft.ranges for part in subtract(one, taken)]
        if left != list(draft.ranges):
            notes.append(
                f"{draft.source}: shares addresses with a pool before it: they stay there"
            )
        if len(left) > MOST_RANGES:
            lost = summarize([format_range(one) for one in left[MOST_RANGES:]])
            notes.append(f"{draft.source}: more than {MOST_RANGES} ranges: {lost} not carried")
            left = left[:MOST_RANGES]
        if not left:
            notes.append(f"{draft.source}: no addresses are left: not carried")
            continue
        if draft.name in names:
            notes.append(f"{draft.source}: another pool has this name: not carried")
            continue
        names.add(draft.name)
        taken += left
        yield _body("AddressPool", draft.name, {"ranges": list(map(format_range, left))}
                    | dict(draft.spec))  # fmt: skip


def _topologies(
    drafts: Iterable[SegmentDraft], around: Surroundings, notes: list[str]
) -> Iterator[Body]:
    present = [_block_of(body) for body in around.topologies]
    by_block: dict[Range, list[SegmentDraft]] = {}
    guesses: set[Range] = set()
    for draft in drafts:
        for one in draft.ranges:
            if any(block and holds(block, one) for block in present):
                continue
            block = _block(draft, one, around.blocks, guesses, notes)
            if edges := edges_in(block, one):
                notes.append(
                    f"{draft.source}: {' and '.join(edges)}: edges of {format_range(block)}, "
                    "which nobody gets here"
                )
            group = by_block.setdefault(block, [])
            if draft not in group:
                group.append(draft)
    names: set[str] = {name_of(body) for body in around.topologies}
    for block, group in sorted(by_block.items()):
        spec = {"cidr": format_range(block), **_announcement(group, block, notes)}
        yield _body("Topology", _free_name(group[0].name, names), spec)


def _block(
    draft: SegmentDraft,
    one: Range,
    known: Iterable[Range],
    guesses: set[Range],
    notes: list[str],
) -> Range:
    """The network of a range: of those that are known the smallest that holds it, or a guess."""
    candidates = [*known, *([draft.block] if draft.block else [])]
    holding = [block for block in candidates if holds(block, one)]
    if holding:
        return min(holding, key=lambda block: block.last - block.first)
    guessed = guess_block(one)
    if guessed not in guesses:
        guesses.add(guessed)
        notes.append(
            f"{draft.source}: nothing says in which network {format_range(one)} lies: "
            f"{format_range(guessed)} is a guess; name it with --subnet"
        )
    return guessed


def _announcement(group: list[SegmentDraft], block: Range, notes: list[str]) -> dict[str, Any]:
    """The interface and the nodes of a block, for all that is announced in it."""
    where = format_range(block)
    spec: dict[str, Any] = {}
    names = tuple(dict.fromkeys(name for draft in group for name in draft.interfaces))
    if not names or not all(draft.interfaces for draft in group):
        spec["bySubnet"] = True
        if names:
            notes.append(
                f"{group[0].source}: a part of {where} is announced on {', '.join(names)} alone: "
                "bySubnet is used for all of it"
            )
    elif len(names) == 1:
        spec["interface"] = names[0]
    else:
        spec["interfaces"] = list(names)
        notes.append(f"{group[0].source}: {where} is announced on {', '.join(names)} at once: "
                     "here each node uses the first of them that is up")  # fmt: skip
    selectors = {tuple(sorted(draft.selector.items())) if draft.selector else ()
                 for draft in group}  # fmt: skip
    if len(selectors) > 1:
        notes.append(
            f"{group[0].source}: parts of {where} are announced by different nodes: not carried, "
            "every node may hold them; restrict a Service with duravip.io/node-selector"
        )
    elif chosen := dict(selectors.pop()):
        spec["nodeSelector"] = chosen
    return spec


def _block_of(topology: Body) -> Range | None:
    try:
        return read_range(str(spec_of(topology).get("cidr")))
    except ValueError:
        return None


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name


def _body(kind: str, name: str, spec: Mapping[str, Any]) -> Body:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def of_kind(bodies: Iterable[Body], group: str, kind: str) -> list[Body]:
    """The objects of one kind of one API group."""
    return [
        body
        for body in bodies
        if body.get("kind") == kind and str(body.get("apiVersion")).partition("/")[0] == group
    ]


def labels_of(body: Body) -> Mapping[str, str]:
    """The labels of an object."""
    labels = metadata_of(body).get("labels")
    return labels if isinstance(labels, Mapping) else {}
