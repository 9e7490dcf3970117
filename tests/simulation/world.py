"""A world of two nodes, one address, two operators and one segment, small enough to walk through.

All that decides is the project's own (`cores`): the operator's core, the agent's rule of fencing,
the rule of the dead-man. What is made up is only what lies between them: the API server's objects,
the kernel's timer, the wire, and who has heard or read which version of what. Time goes in ticks.
"""

from typing import NamedTuple

from duravip_agent.core import watchdog_rule
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import releases

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
LIMITS = watchdog_rule.Timeouts(
    watchdog=DEAD_MAN + watchdog_rule.KERNEL_EARLY_S, contact=0.5, strict_hold=HOLD, progress=1.5
)
"""In ticks. A contact is good for the tick of its beat; the dead-man bites at the second tick."""


class Api(NamedTuple):
    """A NodePlumbing: the spec that operators write and the status that the agent writes."""

    grant: str = ""
    """Empty, `free` or `contested`."""
    generation: int = 1
    epoch: int = 0
    observed: int = 0
    told: int = 0
    """The epoch that its agent says it has seen."""
    served: bool = False
    stopped: bool = False
    boot: int = 1
    """How many starts of an agent have introduced themselves."""
    unconfirmed: bool | None = None
    """Whether the spec says that the node may hold it though it is not granted; None: it does not
    say anything."""


class Store(NamedTuple):
    """What an agent knows of a store that has gone back to a backup."""

    is_noticed: bool = False
    """Whether it knows that it has."""
    is_told: bool = True
    """Whether it has introduced itself anew since."""
    is_old: bool = False
    """Whether what it acts on is of the store as it was before."""
    read: tuple[str, int, int] = ("", 0, 0)
    """Grant, generation and epoch of what is in the store now; it waits to be acknowledged."""


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
    active: bool = False
    """Held and plumbed: audible as long as the dead-man is."""
    fed_at: int = OLD
    """Since the dead-man was refreshed."""
    may_refresh: bool = False
    """Whether the thread that beats believes that it may: nothing has lapsed since it was told."""
    asked: int = OLD
    """Since the segment was asked, and what it said."""
    answered: bool = False
    stale: bool = False
    """What it is granted freely was granted before it started, or was yielded since."""
    claimed: bool = False
    """Another host has claimed the address since the last turn."""
    turned: int = 0
    """Since the loop came round."""
    store: Store = Store()


class Write(NamedTuple):
    """A spec that an operator has decided to write and has not written yet."""

    node: int
    grant: str
    generation: int
    epoch: int
    """The write succeeds only on exactly this generation and epoch."""


class Heard(NamedTuple):
    """What the last beat of a node has said: the spec it acts on, and what it serves under it."""

    generation: int
    active: bool
    stopped: bool = False


class Operator(NamedTuple):
    """A replica: what it has read, what it remembers, what it is about to write."""

    epoch: int = 0
    """0 = it does not lead, and never did."""
    led: int = OLD
    """Ticks since it began to lead."""
    cache: tuple[Api, ...] = ()
    memory: tuple[releases.ReleaseRecord | None, ...] = (None, None)
    gone: tuple[bool, bool] = (False, False)
    """What a scout said of each node since it was suspected."""
    heard: tuple[Heard | None, Heard | None] = (None, None)
    writes: tuple[Write, ...] = ()
    former: int = 0
    """The epoch of the reign that ended when it found out that the store has gone back."""
    has_noticed: bool = False
    """Whether it knows that the store has gone back."""
    is_restored: bool = False
    """Whether its reign is the first one since it knows."""
    has_led: bool = False
    """Whether it has led since."""


class World(NamedTuple):
    """Everything."""

    api: tuple[Api, Api]
    agents: tuple[Agent, Agent]
    operators: tuple[Operator, Operator]
    segment: bool = True
    isolated: bool = False
    """Nodes do not hear each other on the segment, though clients hear both."""
    preferred: int = 0
    is_wanted: bool = True
    """Whether there is an object that names the address."""
    stranger: bool = False
    """Whether a host that is no node answers for it: it came when nobody else had it."""
    is_invaded: bool = False
    """Whether a node has taken it from the stranger."""
    both: int = 0
    """For how many ticks, until now, two have answered on one segment."""
    is_excused: bool = False
    """They were owners on two segments, which have become one."""
    backup: tuple[Api, Api] | None = None
    is_restored: bool = False
    """Whether it was restored: the store has gone back."""
    fit: tuple[bool, bool] | None = None
    """Which nodes are fit for the address; None: it does not ask for anything."""


def is_audible(agent: Agent) -> bool:
    """Whether the node's kernel answers for the address."""
    return agent.running and agent.active and agent.fed_at < DEAD_MAN


def hears_other(world: World, n: int) -> bool:
    """Whether node n hears the other node answer for the address."""
    return world.segment and not world.isolated and is_audible(world.agents[1 - n])


def answers_there(world: World, n: int) -> bool:
    """Whether node n hears anybody else answer for the address."""
    return hears_other(world, n) or (world.stranger and not world.isolated)
