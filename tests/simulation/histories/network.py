"""The wires of the long histories: two segments, and the paths to operators and API server.

A segment may fall in two, or hide its nodes from one another while clients hear all of them; and
what is asked, or announced, may be lost.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.probing import ProbeResult
from simulation.histories.apiserver import Clock

NODES = ("n0", "n1", "n2")
SEGMENTS = ("eth1", "eth2")
REPLICAS = ("o0", "o1")
ADDRESSES = ("10.1.1.1", "10.1.1.2", "10.2.1.3", "fd00:1::64:4")
STRANGER = "02:00:00:00:ff:ff"
FOR_EVER = float("-inf")


class Machine:
    """A node's hardware and kernel: cards, aliases, the fence and its dead-man."""

    def __init__(self, name: str) -> None:
        self.name, self.number = name, NODES.index(name)
        self.is_powered = True
        self.up = dict.fromkeys(SEGMENTS, True)
        self.aliases: dict[str, IfAddress] = {}
        self.refused: set[str] = set()
        """Addresses that the kernel will not take."""
        self.has_refused: set[str] = set()
        """Those that it ever did not: an operator may have given them up here."""
        self.held: set[str] = set()
        self.fed_at = FOR_EVER
        """When the dead-man was refreshed; for ever ago after it was told to mute."""

    def lose_power(self) -> None:
        """Everything in memory is gone."""
        self.is_powered = False
        self.aliases, self.held, self.fed_at = {}, set(), FOR_EVER

    def observed(self) -> KernelState:
        """What an agent sees of it."""
        links = tuple(
            Link(index, name, mac_of(self.name, name), 1500, is_up=True, has_carrier=self.up[name])
            for index, name in enumerate(SEGMENTS, 2)
        )
        own = (
            IfAddress(2, f"10.1.0.{11 + self.number}", 16, is_marked=False),
            IfAddress(2, f"fd00:1::{11 + self.number}", 64, is_marked=False),
            IfAddress(3, f"10.2.0.{11 + self.number}", 16, is_marked=False),
        )
        return KernelState(links, (*own, *self.aliases.values()))

    def own(self, segment: str) -> frozenset[str]:
        """The node's own addresses there: they answer while it has power."""
        if segment == "eth2":
            return frozenset({f"10.2.0.{11 + self.number}"})
        return frozenset({f"10.1.0.{11 + self.number}", f"fd00:1::{11 + self.number}"})


def mac_of(node: str, segment: str) -> str:
    """The link-layer address of a node's card."""
    return f"02:00:00:00:{SEGMENTS.index(segment):02x}:{NODES.index(node):02x}"


@dataclass
class Network:
    """Who hears whom."""

    clock: Clock
    dead_man: float
    """Seconds after which a kernel mutes what was not refreshed; infinite where it is left out."""
    machines: dict[str, Machine] = field(default_factory=lambda: {n: Machine(n) for n in NODES})
    away: dict[str, str] = field(default_factory=dict)
    """`{segment: the node that is cut off from the rest of it}`."""
    hidden: frozenset[str] = frozenset()
    """Segments whose nodes do not hear each other."""
    control: set[str] = field(default_factory=set)
    """Nodes and replicas that are cut off from all control traffic."""
    beats: set[str] = field(default_factory=set)
    """Nodes whose beats are lost."""
    acks: set[str] = field(default_factory=set)
    """Nodes that hear no acknowledgement."""
    losses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of the next questions of a node on a segment nobody hears."""
    strangers: dict[str, str] = field(default_factory=dict)
    """`{address: the segment on which a host that is no node answers for it}`."""
    lost: dict[str, float] = field(default_factory=dict)
    """By address, when a taker last missed an answer because its probe was lost."""

    def is_audible(self, node: str, address: str) -> bool:
        """Whether a node's kernel answers for one of our addresses."""
        machine = self.machines[node]
        alias = machine.aliases.get(address)
        if alias is None or address not in machine.held or not machine.is_powered:
            return False
        fresh = self.clock.now - machine.fed_at < self.dead_man
        return machine.up[SEGMENTS[alias.link - 2]] and fresh

    def audible(self) -> dict[tuple[str, str, bool], list[str]]:
        """`{(address, segment, side of it): nodes that answer there}`."""
        found: dict[tuple[str, str, bool], list[str]] = {}
        for name, machine in self.machines.items():
            for address in machine.aliases:
                if self.is_audible(name, address):
                    segment = SEGMENTS[machine.aliases[address].link - 2]
                    side = self.away.get(segment) == name
                    found.setdefault((address, segment, side), []).append(name)
        return found

    def neighbours(self, node: str, segment: str) -> list[str]:
        """Those whose frames a node gets there."""
        if segment in self.hidden or not self.machines[node].up[segment]:
            return []
        cut = self.away.get(segment)
        return [
            name
            for name, machine in self.machines.items()
            if name != node
            and cut not in {node, name}
            and machine.is_powered
            and machine.up[segment]
        ]

    def ask(
        self, node: str, segment: str, addresses: Iterable[str], *, is_probe: bool = False
    ) -> ProbeResult:
        """What a node hears when it asks who has these; `is_probe`: since it is to take them."""
        asked = frozenset(addresses)
        if not self.machines[node].up[segment]:
            return ProbeResult(unasked=asked)
        answered: dict[str, tuple[str, ...]] = {}
        for name in self.neighbours(node, segment):
            own, mac = self.machines[name].own(segment), mac_of(name, segment)
            for address in asked:
                if address in own or self._answers(name, segment, address):
                    answered[address] = (*answered.get(address, ()), mac)
        if self.hears_strangers(node, segment):
            for address in asked:
                if self.strangers.get(address) == segment:
                    answered[address] = (*answered.get(address, ()), STRANGER)
        if self.losses[node, segment]:
            self.losses[node, segment] -= 1
            self.lost |= dict.fromkeys(answered if is_probe else (), self.clock.now)
            return ProbeResult(silent=asked)
        return ProbeResult(answered, asked - answered.keys())

    def hears_strangers(self, node: str, segment: str) -> bool:
        """Whether a node hears what hosts say there that are no nodes."""
        is_near = segment not in self.hidden and self.away.get(segment) != node
        return is_near and self.machines[node].up[segment]

    def _answers(self, node: str, segment: str, address: str) -> bool:
        alias = self.machines[node].aliases.get(address)
        is_there = alias is not None and SEGMENTS[alias.link - 2] == segment
        return is_there and self.is_audible(node, address)
