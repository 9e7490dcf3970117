"""A world of two nodes, one address, two operators and one segment, small enough to walk through.

All that decides is the project's own: the operator's core, the agent's rule of fencing, the rule
of the dead-man. What is made up is only what lies between them: the API server's objects, the
kernel's timer, the wire, and who has heard or read which version of what. Time goes in ticks.
"""

from functools import lru_cache
from typing import NamedTuple

from duravip_agent.core import deadman, fencing
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, handover, parsing
from duravip_operator.core.snapshot import (
    Entity,
    Hearing,
    Node,
    Placement,
    Plumbing,
    Silence,
    Snapshot,
    Topology,
)

ADDRESS = "10.1.1.1"
NAMES = ("n0", "n1")
ONE = frozenset({ADDRESS})
NONE: frozenset[str] = frozenset()
NICS = {"eth1": Nic(name="eth1", index=2, up=True, carrier=True)}

SUSPECT = 1
"""Ticks of silence after which a node is suspected, and a scout looks."""
DEAD_MAN = 2
"""Ticks after which the kernel mutes what was not refreshed."""
HOLD = 4
"""Ticks without an acknowledgement after which a strictly fenced node must be mute."""
OLD = HOLD + 2
"""All ages beyond this are alike."""
LIMITS = deadman.Limits(
    dead_man=DEAD_MAN + deadman.EARLY, contact=0.5, strict_hold=HOLD, progress=1.5
)
"""In ticks. A contact is good for the tick of its beat; the dead-man bites at the second tick."""


class Api(NamedTuple):
    """A NodePlumbing: the spec that operators write and the status that the agent writes."""

    grant: str = ""
    """Empty, `free` or `contested`."""
    generation: int = 1
    epoch: int = 0
    observed: int = 0
    served: bool = False
    stopped: bool = False
    boot: bool = True
    """Whether an agent has ever introduced itself."""


class Agent(NamedTuple):
    """A node: what runs there, what it knows, and what its kernel does. Ages are in ticks."""

    running: bool = True
    frozen: bool = False
    control: bool = True
    """Whether it reaches operators and API server."""
    heard: int = 0
    """Since its last beat arrived."""
    seen: str = ""
    seen_generation: int = 0
    seen_epoch: int = 0
    acked: int = OLD
    """Since it sent the newest beat that was acknowledged."""
    acked_generation: int = 0
    acked_epoch: int = 0
    armed: bool = False
    """Held and plumbed: audible as long as the dead-man is."""
    refreshed: int = OLD
    """Since the dead-man was refreshed."""
    may_refresh: bool = False
    """Whether the thread that beats believes that it may: nothing has lapsed since it was told."""
    asked: int = OLD
    """Since the segment was asked, and what it said."""
    answered: bool = False
    claimed: bool = False
    """Another host has claimed the address since the last turn."""
    turned: int = 0
    """Since the loop came round."""


class Write(NamedTuple):
    """A spec that an operator has decided to write and has not written yet."""

    node: int
    grant: str
    generation: int
    """The write succeeds only on exactly this generation."""


class Operator(NamedTuple):
    """A replica: what it has read, what it remembers, what it is about to write."""

    epoch: int = 0
    """0 = it does not lead, and never did."""
    led: int = OLD
    """Ticks since it began to lead."""
    cache: tuple[Api, ...] = ()
    memory: tuple[handover.Doubts | None, ...] = (None, None)
    gone: tuple[bool, bool] = (False, False)
    """What a scout said of each node since it was suspected."""
    writes: tuple[Write, ...] = ()


class World(NamedTuple):
    """Everything."""

    api: tuple[Api, Api]
    agents: tuple[Agent, Agent]
    operators: tuple[Operator, Operator]
    segment: bool = True
    isolated: bool = False
    """Nodes do not hear each other on the segment, though clients hear both."""
    preferred: int = 0
    both: int = 0
    """For how many ticks, until now, two have answered on one segment."""
    is_excused: bool = False
    """They were owners on two segments, which have become one."""


def is_audible(agent: Agent) -> bool:
    """Whether the node's kernel answers for the address."""
    return agent.running and agent.armed and agent.refreshed < DEAD_MAN


def answers_there(world: World, n: int) -> bool:
    """Whether node n hears somebody else answer for the address."""
    return world.segment and not world.isolated and is_audible(world.agents[1 - n])


def hearing_of(agent: Agent) -> Hearing:
    """What the pulse says of a node."""
    return Hearing.ALIVE if agent.heard < SUSPECT else Hearing.SILENT


@lru_cache(maxsize=1 << 18)
def decided(
    cache: tuple[Api, ...],
    memory: tuple[handover.Doubts | None, ...],
    silences: tuple[Silence | None, ...],
    how: tuple[int, str, bool],
) -> tuple[tuple[str, ...], tuple[handover.Doubts, ...]]:
    """What the operator's core grants to each node, and what it remembers.

    `how` is the preferred node, the fencing of the Topology, and whether there are no witnesses.
    """
    preferred, fencing_mode, is_isolated = how
    is_strict = is_isolated or fencing_mode == "Strict"
    where = Placement("eth1", 32, fencing="Strict" if is_strict else "Segment")
    snapshot = Snapshot(
        entities=_entities(preferred),
        topologies=(_topology(fencing_mode),),
        nodes={name: Node(name) for name in NAMES},
        plumbings={n: plumbing(n, api, where) for n, api in zip(NAMES, cache, strict=True)},
        hearing={
            n: Hearing.SILENT if silence else Hearing.ALIVE
            for n, silence in zip(NAMES, silences, strict=True)
        },
        silences={n: s for n, s in zip(NAMES, silences, strict=True) if s},
        witnessed=dict.fromkeys(NAMES, NONE if is_isolated else frozenset({"eth1"})),
    )
    known = {n: doubts for n, doubts in zip(NAMES, memory, strict=True) if doubts}
    after = handover.remembered(known, snapshot)
    plans = decision.decided(snapshot, after).plans
    return tuple(_grant(plans[n]) for n in NAMES), tuple(after[n] for n in NAMES)


def plumbing(name: str, api: Api, where: Placement) -> Plumbing:
    """A NodePlumbing as the operator's core sees it."""
    return Plumbing(
        node=name,
        uid=name,
        generation=api.generation,
        epoch=api.epoch,
        grants={where: ONE} if api.grant else {},
        contested=ONE if api.grant == "contested" else NONE,
        observed=api.observed or None,
        served=ONE if api.served else NONE,
        strict=frozenset({"eth1"}) if where.fencing == "Strict" else NONE,
        nics=NICS,
        boot="boot" if api.boot else "",
        stopped=api.stopped,
    )


@lru_cache(maxsize=1 << 16)
def judged(agent: Agent, fencing_mode: str) -> tuple[bool, bool]:
    """`(armed, whether it was armed anew)` after the agent's core has judged and acted."""
    probed = {ADDRESS: fencing.Probed(-agent.asked, "m" if agent.answered else "")}
    granted = fencing.Granted(
        "eth1",
        free=ONE if agent.seen == "free" else NONE,
        contested=ONE if agent.seen == "contested" else NONE,
        is_strict=fencing_mode == "Strict",
    )
    verdict = fencing.judged(
        fencing.Facts(
            now=0,
            epoch=agent.seen_epoch,
            generation=agent.seen_generation,
            grants=(granted,),
            contact=contact_of(agent),
            armed=ONE if agent.armed else NONE,
            refreshed=-agent.refreshed if agent.may_refresh else None,
            links=frozenset({"eth1"}),
            probed=probed if agent.asked < 1 else {},
            claimed=ONE if agent.claimed else NONE,
            limits=LIMITS,
        )
    )
    return bool(verdict.keep | verdict.arm), bool(verdict.arm)


def contact_of(agent: Agent) -> deadman.Contact | None:
    """The newest acknowledgement, as the agent's core sees it, now being 0."""
    if not agent.acked_generation:
        return None
    return deadman.Contact(-agent.acked, agent.acked_epoch, agent.acked_generation)


def _grant(plan: handover.Plan) -> str:
    if not plan.grants:
        return ""
    return "contested" if plan.contested else "free"


@lru_cache
def _entities(preferred: int) -> tuple[Entity, ...]:
    name = NAMES[preferred]
    return (Entity("DuraVIP", "default", "v", "u", "", address=ADDRESS, preference=name),)


@lru_cache
def _topology(mode: str) -> Topology:
    spec = {"cidr": "10.1.1.0/24", "interface": "eth1", "fencing": mode}
    return parsing.topology({"metadata": {"name": "lan"}, "spec": spec})
