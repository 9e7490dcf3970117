"""One owner for every address: tables in, a table out.

For each party, a leader with its followers, in the order of addresses:

1. the preferred node, when it may take the party (or has it and may keep it);
2. else the node that has it, when it may keep it: nothing moves without a cause;
3. else, once all of these are placed, the least loaded node that may take it; of equally loaded
   ones the one with the smallest hash of address and name, so that every replica agrees;
4. else nobody; but a party whose only node is silent stays granted there, for nobody gains by
   its loss.

The result depends on the facts alone, never on the order in which they arrived.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from duravip_api.addresses import numbered
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.eligibility import Eligibility, Eligible
from duravip_operator.core.snapshot import Snapshot

_CAUSES = {
    Reason.NODE_SILENT: MoveReason.NODE_LOST,
    Reason.NODE_EXCLUDED: MoveReason.DRAIN,
    Reason.NODE_STOPPED: MoveReason.DRAIN,
    Reason.INTERFACE_DOWN: MoveReason.LINK_DOWN,
}


class Choice(NamedTuple):
    """What the election says of one address."""

    owner: str
    """The node that shall have it; empty: nobody."""
    participants: int
    """How many nodes may take it."""
    cause: MoveReason = MoveReason.ELECTED
    """Why it is not the node that had it; of meaning only when that is another one."""
    reason: Reason = Reason.ELECTED
    """Why there is no owner."""
    refusals: Mapping[str, Reason] = MappingProxyType({})
    """Where there is none: why each node may not take it."""


class Party(NamedTuple):
    """A leader with its followers: they are elected as one."""

    leader: Unit
    followers: tuple[Unit, ...]
    eligible: Eligible

    @property
    def weight(self) -> int:
        """How many addresses it brings to its owner."""
        return 1 + len(self.followers)


def elected(
    units: Mapping[str, Unit], holders: Mapping[str, str], snapshot: Snapshot
) -> dict[str, Choice]:
    """`{address: Choice}` for every unit that can have an owner at all.

    `holders` names, for each address, the node that has it or is to have it already.
    """
    choices: dict[str, Choice] = {}
    load: Counter[str] = Counter()
    waiting: list[Party] = []
    for party in _parties(units, snapshot):
        owner = _settled(party, holders.get(party.leader.address, ""))
        if owner:
            load[owner] += party.weight
            _record(choices, party, owner, holders)
        else:
            waiting.append(party)
    for party in waiting:
        owner = _placed(party, load, snapshot.max_aliases)
        if owner:
            load[owner] += party.weight
            _record(choices, party, owner, holders)
        else:
            _record_none(choices, party, holders)
    return choices


def holders_of(snapshot: Snapshot) -> dict[str, str]:
    """`{address: node}`: who has each address; of several, the one that serves it, then by name.

    Only a mistake, or a hand that edited a NodePlumbing, makes it several.
    """
    holders: dict[str, str] = {}
    for name in sorted(snapshot.plumbings):
        plumbing = snapshot.plumbings[name]
        for address in plumbing.granted:
            if address not in holders or address in plumbing.served:
                holders[address] = name
    return holders


def _parties(units: Mapping[str, Unit], snapshot: Snapshot) -> list[Party]:
    eligibility = Eligibility(snapshot)
    followers: dict[str, list[Unit]] = defaultdict(list)
    for unit in units.values():
        if unit.leader and unit.electable:
            followers[unit.leader].append(unit)
    for led in followers.values():
        led.sort(key=lambda unit: numbered(unit.address))
    leaders = [unit for unit in units.values() if not unit.leader and unit.electable]
    leaders.sort(key=lambda unit: numbered(unit.address))
    return [
        Party(unit, led, eligibility.of(unit, led))
        for unit in leaders
        for led in [tuple(followers.get(unit.address, ()))]
    ]


def _settled(party: Party, holder: str) -> str:
    """The owner that needs no comparison of loads; empty when there is none."""
    preference, eligible = party.leader.preference, party.eligible
    if preference in eligible.may_take - eligible.suspected:
        return preference
    return holder if holder in eligible.may_keep else ""


def _placed(party: Party, load: Mapping[str, int], most: int) -> str:
    """The owner of a party that nobody has; empty when there is none."""
    if party.leader.preference in party.eligible.may_take:
        return party.leader.preference
    return _least_loaded(party, load, most)


def _least_loaded(party: Party, load: Mapping[str, int], most: int) -> str:
    nodes = [n for n in party.eligible.may_take if load.get(n, 0) + party.weight <= most]
    if not nodes:
        return ""
    least = min(load.get(n, 0) for n in nodes)
    address = party.leader.address
    equals = [n for n in nodes if load.get(n, 0) == least]
    return equals[0] if len(equals) == 1 else min(equals, key=lambda n: _hashed(address, n))


def _hashed(address: str, node: str) -> bytes:
    return blake2b(f"{address} {node}".encode(), digest_size=8).digest()


def _record(
    choices: dict[str, Choice], party: Party, owner: str, holders: Mapping[str, str]
) -> None:
    count = len(party.eligible.may_take)
    former = holders.get(party.leader.address, "")
    cause = MoveReason.ELECTED
    if former and former != owner:
        kept = former in party.eligible.may_keep
        refused = party.eligible.refusals.get(former, Reason.NODE_UNKNOWN)
        cause = MoveReason.PREFERENCE if kept else _CAUSES.get(refused, MoveReason.EDITED)
    choices[party.leader.address] = Choice(owner, count, cause)
    for follower in party.followers:
        choices[follower.address] = Choice(owner, count, MoveReason.FOLLOW)


def _record_none(choices: dict[str, Choice], party: Party, holders: Mapping[str, str]) -> None:
    holder = holders.get(party.leader.address, "")
    eligible = party.eligible
    if holder in eligible.lost:
        found = Choice(holder, 0, reason=Reason.OWNER_LOST)
    elif eligible.may_take:
        found = Choice("", len(eligible.may_take), reason=Reason.CAPACITY_EXCEEDED)
    else:
        found = Choice("", 0, reason=Reason.NO_PARTICIPANT, refusals=eligible.refusals)
    choices[party.leader.address] = found
    for follower in party.followers:
        choices[follower.address] = found
