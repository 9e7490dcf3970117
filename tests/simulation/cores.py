"""What the project's own cores say of a small world: all that decides is asked here."""

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from duravip_agent.core import fencing, watchdog_rule
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_api.heartbeat import address_digest
from duravip_operator.core import decision, handover, heartbeat_evidence, parsing, releases
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Placement,
    Plumbing,
    ReadinessKey,
    Snapshot,
    Suspicion,
    Topology,
    VipObject,
)
from simulation.world import ADDRESS, LIMITS, NAMES, NICS, NONE, ONE, Agent, Api, Heard

WEB = ReadinessKey("endpointsOf", "default/web")


class How(NamedTuple):
    """What people want, and what the segment is like."""

    preferred: int | None
    """None: there is no object."""
    fencing: str
    is_isolated: bool
    """Whether there are no witnesses."""
    is_any_goodbye_believed: bool = False
    """Whether a status is believed that says that an agent has ended, whatever its beats say."""
    restored_in: int | None = None
    """The operator's epoch, if the store has gone back before it began."""
    fit: tuple[bool, bool] | None = None
    """Which nodes are fit for the address; None: it does not ask for anything."""


@lru_cache(maxsize=1 << 18)
def decided(
    cache: tuple[Api, ...],
    memory: tuple[releases.ReleaseRecord | None, ...],
    silences: tuple[Suspicion | None, ...],
    heard: tuple[Heard | None, ...],
    how: How,
) -> tuple[tuple[str, ...], tuple[releases.ReleaseRecord, ...]]:
    """What the operator's core grants to each node, and what it remembers."""
    preferred, fencing_mode, is_isolated, is_any_goodbye_believed, restored_in, fit = how
    is_strict = is_isolated or fencing_mode == "Strict"
    where = Placement("eth1", 32, fencing="Strict" if is_strict else "Segment")
    known = {n: plumbing(n, api, where) for n, api in zip(NAMES, cache, strict=True)}
    said = {n: _said(known[n], h) for n, h in zip(NAMES, heard, strict=True) if h}
    plumbings = (
        known if is_any_goodbye_believed else heartbeat_evidence.verify_stopped(known, said)
    )
    snapshot = Snapshot(
        vips=_entities(preferred, asks=fit is not None),
        fit_nodes={WEB: frozenset(n for n, f in zip(NAMES, fit, strict=True) if f)} if fit else {},
        topologies=(_topology(fencing_mode),),
        nodes={name: Node(name) for name in NAMES},
        plumbings=plumbings,
        release_confirmed=frozenset(n for n, h in said.items() if _has_let_go(plumbings[n], h)),
        liveness={
            n: Liveness.SUSPECT if silence else Liveness.ALIVE
            for n, silence in zip(NAMES, silences, strict=True)
        },
        suspicions={n: s for n, s in zip(NAMES, silences, strict=True) if s},
        witnessed=dict.fromkeys(NAMES, NONE if is_isolated else frozenset({"eth1"})),
    )
    strange = heartbeat_evidence.nodes_ahead_of_store(snapshot, said, restored_in)
    snapshot = replace(snapshot, ahead_of_store=strange)
    before = {n: doubts for n, doubts in zip(NAMES, memory, strict=True) if doubts}
    after = releases.update_records(before, snapshot)
    made = decision.decide(snapshot, after)
    after = releases.limit_to_owned(after, made.assignments)
    return tuple(_grant(made.plans[n]) for n in NAMES), tuple(after[n] for n in NAMES)


def _said(known: Plumbing, heard: Heard) -> heartbeat_evidence.HeartbeatState:
    digest = address_digest(ONE if heard.active else NONE)
    return heartbeat_evidence.HeartbeatState(known.boot, heard.generation, digest, heard.stopped)


def _has_let_go(known: Plumbing, said: heartbeat_evidence.HeartbeatState) -> bool:
    return not known.has_acted and heartbeat_evidence.confirms_release(known, said)


def plumbing(name: str, api: Api, where: Placement) -> Plumbing:
    """A NodePlumbing as the operator's core sees it."""
    return Plumbing(
        node=name,
        uid=name,
        generation=api.generation,
        epoch=api.epoch,
        grants={where: ONE} if api.grant else {},
        contested=ONE if api.grant == "contested" else NONE,
        unconfirmed=None if api.unconfirmed is None else ONE if api.unconfirmed else NONE,
        observed_generation=api.observed or None,
        seen_epoch=api.told,
        served=ONE if api.served else NONE,
        strict=frozenset({"eth1"}) if where.fencing == "Strict" else NONE,
        nics=NICS,
        boot=f"boot-{api.boot}" if api.boot else "",
        stopped=api.stopped,
    )


@lru_cache(maxsize=1 << 16)
def judged(agent: Agent, fencing_mode: str) -> tuple[bool, bool]:
    """`(armed, whether it was armed anew)` after the agent's core has judged and acted."""
    probed = {ADDRESS: fencing.ProbeAnswer(-agent.asked, "m" if agent.answered else "")}
    granted = fencing.InterfaceShare(
        "eth1",
        free=ONE if agent.seen == "free" else NONE,
        contested=ONE if agent.seen == "contested" else NONE,
        is_strict=fencing_mode == "Strict",
    )
    verdict = fencing.decide(
        fencing.Facts(
            now=0,
            epoch=agent.seen_epoch,
            generation=agent.seen_generation,
            grants=(granted,),
            contact=contact_of(agent),
            active=ONE if agent.active else NONE,
            fed_at=-agent.fed_at if agent.may_refresh else None,
            links=frozenset({"eth1"}),
            stale=ONE if agent.stale else NONE,
            probed=probed if agent.asked < 1 else {},
            claimed=ONE if agent.claimed else NONE,
            timeouts=LIMITS,
        )
    )
    return bool(verdict.keep | verdict.activate), bool(verdict.activate)


def is_taken(agent: Agent, api: Api) -> bool:
    """Whether the agent's core acts on the spec as it stands, after the one that it acts on."""
    seen = agent.seen_epoch, agent.seen_generation
    return _is_taken(seen, (api.epoch, api.generation))


@lru_cache(maxsize=1 << 16)
def _is_taken(seen: tuple[int, int], stands: tuple[int, int]) -> bool:
    taken = SpecTracker()
    taken.first_report_stored(_spec(0, 0))
    for epoch, generation in (seen, stands):
        if generation:
            taken.accept(_spec(epoch, generation))
    return (taken.in_force.epoch, taken.in_force.generation) == stands


def _spec(epoch: int, generation: int) -> dict[str, Any]:
    numbers = {"generation": generation, "resourceVersion": str(generation)}
    return {"metadata": {"uid": "u", **numbers}, "spec": {"epoch": epoch}}


def contact_of(agent: Agent) -> watchdog_rule.LeaderContact | None:
    """The newest acknowledgement, as the agent's core sees it, now being 0."""
    if not agent.acked_generation:
        return None
    return watchdog_rule.LeaderContact(-agent.acked, agent.acked_epoch, agent.acked_generation)


def _grant(plan: handover.Plan) -> str:
    if not plan.grants:
        return ""
    return "contested" if plan.contested else "free"


@lru_cache
def _entities(preferred: int | None, *, asks: bool) -> tuple[VipObject, ...]:
    if preferred is None:
        return ()
    name = NAMES[preferred]
    asked = frozenset({WEB}) if asks else frozenset()
    vip = VipObject("DuraVIP", "default", "v", "u", "", address=ADDRESS, preference=name)
    return (replace(vip, readiness=asked),)


@lru_cache
def _topology(mode: str) -> Topology:
    spec = {"cidr": "10.1.1.0/24", "interface": "eth1", "fencing": mode}
    return parsing.topology({"metadata": {"name": "lan"}, "spec": spec})
