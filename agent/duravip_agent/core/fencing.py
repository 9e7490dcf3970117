"""Which addresses this node may serve now: the agent's half of the hand-over rule.

An address is *active* when the node may answer ARP and ND for it and send from it; every other
granted address is *mute*: the kernel may have it, but the fence keeps it silent. At most one node
may have an address active. The operator guarantees that no two grants overlap in time, and waits
for the former owner to report the release, or to have fallen silent for certain. The agent has to
keep its part of that, without being able to ask the operator at the very moment:

A1  Activate only in contact: a leader has just acknowledged a heartbeat, naming the epoch and the
    generation that the grant was read from. Whatever revoked it since cannot have led to another
    owner yet, for the operator waits longer than that acknowledgement counts (`contact_end`).
    Where a backup of the store was restored a generation comes again; an epoch does not.
A2  Where the grant is contested, another node may still serve the address: activate only when the
    segment was probed and nobody answered. The same holds for a free grant that is stale (below).
A3  Active stays active while the agent lives. If the watchdog was not fed in time, others may have
    heard the silence and acted on it: nothing is active then, and A1 applies to all anew
    (`core/watchdog_rule.py`).
A4  Yield: whoever claims an address of ours while we have no contact may have been granted it.
    In contact we know better, and defend it by announcing it (RFC 5227, section 2.4).
A5  An acknowledgement that names a newer generation than was read: read now.
A6  An interface without a link has nothing active.
A7  Under strict fencing an address is active only as long as the operator counts on that.

Acting takes time, and a process may be stopped at any point of it. So every permission has an end:
act, then read the clock, and undo it when that is past (`FencingDecision.activate_before`,
`watchdog_rule.is_late`), unless the rules, applied anew, permit at that very moment what was done.
All times are in seconds, on one clock of the caller's choice that also runs while the machine is
suspended.

A free grant means that another node has just released the address. It is worth that once, and at
once. It is *stale*, for a stranger may have the address by now:

- when it was there before the agent started;
- when it is for another interface than before, of which the release proves nothing;
- when the address was muted because somebody claims it, or was mute for `STALE_AFTER_MUTE_S`.

A watchdog that ran out because the machine was slow, or a cable that was out for a moment, makes
no grant stale: rule A1 is enough, since nobody else was granted the address meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from duravip_agent.core.watchdog_rule import (
    DEFAULTS,
    NEVER,
    LeaderContact,
    Timeouts,
    has_expired,
    strict_hold_end,
)

PROBE_EVERY_S = 0.05
"""A contested address that was answered for is probed again after this long."""

PROBE_LASTING_AFTER_S, PROBE_LASTING_EVERY_S = 2.0, 1.0
"""A host that has answered for longer than that is no node that is about to fall silent: it is
probed less often, since every probe costs all hosts of the segment."""

SILENCE_VALID_S = 0.25
"""What nobody answered must be activated within this time, or be probed again: enough for
thousands of addresses on a node that has other things to do. Whether this node may still arm it
at all is not for this to say, but for contact, which ends sooner."""

DEFEND_EVERY_S = 10.0
"""More often would be a quarrel that neither side can win."""

STRICT_LEAD_S = 0.3
"""How long before the watchdog would mute all, strictly fenced addresses are muted one by one."""

ALWAYS = float("inf")
NOTHING: frozenset[str] = frozenset()


class ProbeAnswer(NamedTuple):
    """What the last probe of an address has brought."""

    at: float
    mac: str = ""
    """That of the host that answered; empty = nobody did."""
    since: float = ALWAYS
    """Since when every probe was answered; ALWAYS = the last one was not."""


class InterfaceShare(NamedTuple):
    """What the spec grants on one interface."""

    interface: str
    free: frozenset[str] = NOTHING
    contested: frozenset[str] = NOTHING
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides."""

    now: float
    epoch: int = 0
    generation: int = 0
    """Of the spec as it was read, as is the next."""
    grants: tuple[InterfaceShare, ...] = ()
    contact: LeaderContact | None = None
    active: frozenset[str] = NOTHING
    """After the last decision was applied."""
    fed_at: float | None = None
    """When the watchdog was fed last; None = not since everything was muted."""
    links: frozenset[str] = NOTHING
    """The interfaces that are up and have a carrier."""
    stale: frozenset[str] = NOTHING
    """What is granted freely, and may have been taken by a stranger since: it is contested."""
    probed: Mapping[str, ProbeAnswer] = field(default_factory=dict)
    claimed: frozenset[str] = NOTHING
    """What others have claimed since the last decision."""
    defended: Mapping[str, float] = field(default_factory=dict)
    """When an address was defended last."""
    timeouts: Timeouts = DEFAULTS


@dataclass(frozen=True, slots=True)
class FencingDecision:
    """What to do: mute, then arm, then the rest."""

    keep: frozenset[str] = NOTHING
    activate: frozenset[str] = NOTHING
    mute: frozenset[str] = NOTHING
    """What was active and is not any more."""
    probe: frozenset[str] = NOTHING
    """What to probe, unless that is being done."""
    defend: frozenset[str] = NOTHING
    must_read: bool = False
    """Whether to read the spec again at once."""
    activate_before: float = NEVER
    """Mute `arm` again if the clock shows this, or more, once it can be heard."""
    has_strict: bool = False
    """Whether anything active is strictly fenced: for the watchdog."""
    due: float = ALWAYS
    """When to decide again although nothing has happened."""


def decide(facts: Facts) -> FencingDecision:
    """Apply the rules to everything that is granted."""
    lapsed = has_expired(facts.fed_at, facts.now, facts.timeouts)
    still = NOTHING if lapsed else facts.active - claims_to_yield_to(facts)
    shares = [_decide_share(granted, still, facts) for granted in facts.grants]
    keep = NOTHING.union(*(share.keep for share in shares))
    arm = NOTHING.union(*(share.activate for share in shares)) - keep
    strict = any(
        s.keep or s.activate for s, g in zip(shares, facts.grants, strict=True) if g.is_strict
    )
    dues = [facts.now + share.pause for share in shares]
    dues += [strict_end(facts)] if strict else []
    return FencingDecision(
        keep=keep,
        activate=arm,
        mute=facts.active - keep - arm,
        probe=NOTHING.union(*(share.probe for share in shares)),
        defend=claims_to_defend(facts, keep),
        must_read=is_outdated(facts),
        activate_before=contact_end(facts),
        has_strict=strict,
        due=min(dues, default=ALWAYS),
    )


class _ShareDecision(NamedTuple):
    """What becomes of one interface's grants."""

    keep: frozenset[str] = NOTHING
    activate: frozenset[str] = NOTHING
    probe: frozenset[str] = NOTHING
    pause: float = ALWAYS
    """When to decide again although nothing has happened, in seconds from now."""


def _decide_share(granted: InterfaceShare, still: frozenset[str], facts: Facts) -> _ShareDecision:
    everything = granted.free | granted.contested
    if not is_linked(granted, facts) or not is_within_hold(granted, facts):
        return _ShareDecision(pause=PROBE_EVERY_S if everything else ALWAYS)
    keep = still & everything
    contested = (granted.contested | (granted.free & facts.stale)) - keep
    silent = {address for address in contested if is_silent(address, facts)}
    probe = frozenset(a for a in contested - silent if may_probe(a, facts))
    if is_in_contact(facts):
        waits = [probe_pause(facts.probed.get(a)) for a in contested - silent]
        arm = (everything - keep - contested).union(silent)
        return _ShareDecision(keep, arm, probe, min(waits, default=ALWAYS))
    early = probe if is_contact_imminent(facts) else NOTHING
    return _ShareDecision(keep, probe=early, pause=PROBE_EVERY_S if keep != everything else ALWAYS)


def is_in_contact(facts: Facts) -> bool:
    """A1: whether the spec was in force a moment ago, as it was read."""
    contact = facts.contact
    return (
        contact is not None
        and contact.epoch == facts.epoch
        and contact.generation == facts.generation
        and facts.now < contact_end(facts)
    )


def is_contact_imminent(facts: Facts) -> bool:
    """A2: whether contact is a matter of milliseconds: the segment can be asked meanwhile."""
    contact = facts.contact
    return (
        contact is not None
        and contact.generation < facts.generation
        and facts.now < contact_end(facts)
    )


def contact_end(facts: Facts) -> float:
    """A1: when the newest acknowledgement is too old to activate anything."""
    return facts.contact.sent + facts.timeouts.contact if facts.contact else NEVER


def is_silent(address: str, facts: Facts) -> bool:
    """A2: whether nobody on the segment has the address, as far as one could hear just now."""
    probed = facts.probed.get(address)
    return probed is not None and not probed.mac and facts.now - probed.at < SILENCE_VALID_S


def may_probe(address: str, facts: Facts) -> bool:
    """A2: whether the segment may be asked again."""
    probed = facts.probed.get(address)
    return probed is None or facts.now - probed.at >= probe_pause(probed)


def probe_pause(probed: ProbeAnswer | None) -> float:
    """A2: how long after one probe the next one may follow."""
    if probed is None or probed.at - probed.since < PROBE_LASTING_AFTER_S:
        return PROBE_EVERY_S
    return PROBE_LASTING_EVERY_S


def claims_to_yield_to(facts: Facts) -> frozenset[str]:
    """A4: whatever others have claimed, while nobody tells us that it is ours."""
    return NOTHING if is_in_contact(facts) else facts.claimed


def claims_to_defend(facts: Facts, kept: frozenset[str]) -> frozenset[str]:
    """A4: what is ours and was claimed, unless we have said so just now."""
    claimed = facts.claimed & kept if is_in_contact(facts) else NOTHING
    return frozenset(
        a for a in claimed if facts.now - facts.defended.get(a, NEVER) >= DEFEND_EVERY_S
    )


def is_outdated(facts: Facts) -> bool:
    """A5: whether there is a newer spec than the one that was read."""
    contact = facts.contact
    return (
        contact is not None
        and contact.epoch >= facts.epoch
        and contact.generation > facts.generation
    )


def is_linked(granted: InterfaceShare, facts: Facts) -> bool:
    """A6: whether its interface is up and has a carrier."""
    return granted.interface in facts.links


def is_within_hold(granted: InterfaceShare, facts: Facts) -> bool:
    """A7: whether the operator still counts on this node having what it has."""
    return not granted.is_strict or facts.now < strict_end(facts)


def strict_end(facts: Facts) -> float:
    """A7: when strictly fenced addresses are muted, in time for the watchdog to help out."""
    is_known = facts.contact is not None and facts.contact.epoch >= facts.epoch
    return strict_hold_end(facts.contact, facts.timeouts) - STRICT_LEAD_S if is_known else NEVER


STALE_AFTER_MUTE_S: Final = 5.0
"""Seconds for which an address may be mute without a stranger being reckoned with."""


class ProbeNeeds:
    """Knows the stale grants: what was granted, and what was muted, since the agent started."""

    def __init__(self) -> None:
        self._granted: Mapping[str, frozenset[str]] | None = None
        """By interface; None: no spec was acted on since the start."""
        self._stale = NOTHING
        self._muted: dict[str, float] = {}
        """Of what is granted, was heard and is not any more: since when."""

    def granted(self, by_interface: Mapping[str, frozenset[str]]) -> None:
        """From now on exactly these are granted."""
        everything = NOTHING.union(*by_interface.values())
        before = self._granted
        if before is None:
            self._stale = everything
        else:
            same = NOTHING.union(*(a & before.get(i, NOTHING) for i, a in by_interface.items()))
            elsewhere = everything & NOTHING.union(*before.values()) - same
            self._stale = (self._stale & same) | elsewhere
            self._muted = {a: since for a, since in self._muted.items() if a in same}
        self._granted = by_interface

    def stale(self, now: float) -> frozenset[str]:
        """What a stranger may have by now, if it is granted freely."""
        if not self._muted:
            return self._stale
        long = (a for a, since in self._muted.items() if now - since >= STALE_AFTER_MUTE_S)
        return self._stale.union(long)

    def record_applied(
        self, facts: Facts, decision: FencingDecision, audible_until: float
    ) -> None:
        """A decision was applied; after `audible_until` the watchdog has muted everything."""
        if self._stale:
            self._stale -= decision.keep
        for address in self._muted.keys() & decision.keep:
            del self._muted[address]
        if decision.mute and self._granted:
            left = decision.mute & NOTHING.union(*self._granted.values())
            self._stale |= left & facts.claimed
            silent_since = min(facts.now, audible_until)
            self._muted |= dict.fromkeys(left, silent_since)
