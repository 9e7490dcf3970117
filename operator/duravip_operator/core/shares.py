"""What was chosen for each node, put together: thousands of addresses, and a handful of shares."""

from collections.abc import Mapping
from typing import NamedTuple

from duravip_operator.core.conflicts import Unit
from duravip_operator.core.election import Choice
from duravip_operator.core.snapshot import Placement, Plumbing, Snapshot


class Share(NamedTuple):
    """The addresses of one Topology that were chosen for one node."""

    where: Placement
    plumbing: Plumbing
    """The node's."""
    addresses: set[str]


def shares_of(
    units: Mapping[str, Unit], choices: Mapping[str, Choice], snapshot: Snapshot
) -> dict[tuple[str, str], Share]:
    """By node and Topology; a node without a NodePlumbing has none."""
    shares: dict[tuple[str, str], Share] = {}
    for address, choice in choices.items():
        owner, topology = choice.owner, units[address].topology
        if not owner or topology is None:
            continue
        share = shares.get((owner, topology.name))
        if share is not None:
            share.addresses.add(address)
        elif owner in snapshot.plumbings:
            share = Share(topology.placement, snapshot.plumbings[owner], {address})
            shares[owner, topology.name] = share
    return shares
