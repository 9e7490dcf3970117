"""A world of two nodes, one address and two operators, small enough to walk through whole.

The decisions are the project's own cores; what is made up is only what lies between them: the
API server's objects, and who has read which version of them.
"""

from functools import lru_cache
from typing import NamedTuple

from duravip_agent.core import grant as agent_grant
from duravip_agent.core.observed import Alias, Link, Observed
from duravip_agent.core.plan import planned
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, handover, parsing, specs
from duravip_operator.core.snapshot import Entity, Hearing, Node, Placement, Plumbing, Snapshot

ADDRESS = "10.1.1.1"
NAMES = ("n0", "n1")
WHERE = Placement("eth1", 32)
GRANTED = {WHERE: frozenset({ADDRESS})}
NICS = {"eth1": Nic(name="eth1", index=2, up=True, carrier=True)}
LINK = Link(index=2, name="eth1", is_up=True, has_carrier=True)
TOPOLOGY = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.1.0/24", "interface": "eth1"}}
)
ENTITIES = tuple(
    (Entity("DuraVIP", "default", "vip", "uid", "", address=ADDRESS, preference=name),)
    for name in NAMES
)


class Api(NamedTuple):
    """A NodePlumbing: the spec that operators write and the status that the agent writes."""

    granted: bool = False
    generation: int = 1
    epoch: int = 0
    observed: int = 0
    served: bool = False
    stopped: bool = False

    def plumbing(self, name: str) -> Plumbing:
        """The same as the operator's core sees it."""
        return Plumbing(
            node=name,
            uid=name,
            generation=self.generation,
            epoch=self.epoch,
            grants=GRANTED if self.granted else {},
            observed=self.observed or None,
            served=frozenset({ADDRESS}) if self.served else frozenset(),
            nics=NICS,
            stopped=self.stopped,
        )


class Agent(NamedTuple):
    """A node: what runs there, what it has read, and what its kernel holds."""

    running: bool = True
    hearing: Hearing = Hearing.ALIVE
    seen: bool = False
    seen_generation: int = 0
    plumbed: bool = False


class Write(NamedTuple):
    """A spec that an operator has decided to write and has not written yet."""

    node: int
    granted: bool
    generation: int
    """The write succeeds only on exactly this generation."""


class Operator(NamedTuple):
    """A replica: what it has read, what it remembers, what it is about to write."""

    epoch: int = 0
    """0 = it does not lead, or knows no longer that it once did."""
    cache: tuple[Api, ...] = ()
    memory: tuple[handover.Doubts | None, ...] = (None, None)
    writes: tuple[Write, ...] = ()


class World(NamedTuple):
    """Everything."""

    api: tuple[Api, Api]
    agents: tuple[Agent, Agent]
    operators: tuple[Operator, Operator]
    preferred: int = 0


def owners(world: World) -> list[int]:
    """The nodes whose kernel answers for the address."""
    return [i for i, agent in enumerate(world.agents) if agent.running and agent.plumbed]


@lru_cache(maxsize=1 << 18)
def decided(
    cache: tuple[Api, ...],
    memory: tuple[handover.Doubts | None, ...],
    heard: tuple[Hearing, ...],
    preferred: int,
) -> tuple[tuple[bool, ...], tuple[handover.Doubts, ...]]:
    """What the operator's core grants to each node, and what it remembers."""
    snapshot = Snapshot(
        entities=ENTITIES[preferred],
        topologies=(TOPOLOGY,),
        nodes={name: Node(name) for name in NAMES},
        plumbings={n: api.plumbing(n) for n, api in zip(NAMES, cache, strict=True)},
        hearing=dict(zip(NAMES, heard, strict=True)),
    )
    known = {n: doubts for n, doubts in zip(NAMES, memory, strict=True) if doubts}
    after = handover.remembered(known, snapshot)
    grants = decision.decided(snapshot, after).grants
    return (
        tuple(not specs.same(grants[name], {}) for name in NAMES),
        tuple(after[name] for name in NAMES),
    )


@lru_cache
def acted(*, wants: bool, plumbed: bool) -> bool:
    """Whether the kernel holds the address after the agent's core has planned and acted."""
    wanted = {ADDRESS: agent_grant.Placement("eth1", 32)} if wants else {}
    alias = Alias(LINK.index, ADDRESS, 32, is_marked=True)
    plan = planned(wanted, Observed((LINK,), (alias,) if plumbed else ()), {})
    return (plumbed and alias not in plan.delete) or alias in plan.add
