"""Three nodes, two segments, four addresses, two operators: everything, and its time.

All parts of all programs run once a tick, in an order that can be changed, unless they are held.
"""

import random

from duravip_agent.core.watchdog_rule import DEFAULTS
from duravip_api.heartbeat import Ack, Heartbeat, ProbeReport, ProbeRequest
from duravip_operator.core import parsing
from simulation.changes import Weak
from simulation.histories import agent as agents
from simulation.histories import replica as replicas
from simulation.histories.apiserver import ApiServer, Body, Clock, Key
from simulation.histories.heart import Surroundings
from simulation.histories.network import FOR_EVER, NODES, REPLICAS, Network
from simulation.histories.passes import DecidingReplica
from simulation.histories.turns import TurningAgent

TICK = 0.05
Part = tuple[str, str]
"""A program, by its node or replica, and one of its parts."""

PARTS: tuple[Part, ...] = (
    *((node, part) for node in NODES for part in agents.PARTS),
    *((name, part) for name in REPLICAS for part in replicas.PARTS),
)

OBJECTS = {
    Key("Topology", "lan"): {"cidr": "10.1.1.0/24", "interface": "eth1"},
    Key("Topology", "lan6"): {"cidr": "fd00:1::64:0/112", "interface": "eth1"},
    Key("Topology", "wan"): {"cidr": "10.2.1.0/24", "interface": "eth2"},
    Key("DuraVIP", "a"): {"address": "10.1.1.1", "preference": "n0"},
    Key("Binding", "b"): {"address": "10.1.1.2"},
    Key("DuraVIP", "c"): {"address": "10.2.1.3", "follow": "b"},
    Key("DuraVIP", "d"): {"address": "fd00:1::64:4"},
}
ENTITIES = tuple(key for key in OBJECTS if key.kind != "Topology")


class Cluster:
    """Everything that there is."""

    def __init__(self, weak: Weak = frozenset(), hidden: frozenset[str] = frozenset()) -> None:
        self.clock = Clock()
        self.api = ApiServer(self.clock)
        dead_man = -FOR_EVER if "dead-man" in weak else DEFAULTS.watchdog
        self.network = Network(self.clock, dead_man, hidden=hidden)
        self.around = Surroundings(self.clock, self.api, self.network, weak)
        self.around.hear = self._hear
        self.agents: dict[str, TurningAgent] = {}
        self.replicas: dict[str, DecidingReplica] = {}
        self.ticks = self._boots = 0
        self.stolen: set[str] = set()
        """The nodes for which somebody speaks who has their key."""
        self.coming: dict[str, tuple[Key, Body]] = {}
        """The addresses that other hosts take as soon as nobody has them, or is about to; and the
        object that names each of them from then on."""
        self.order = PARTS
        for key, spec in OBJECTS.items():
            self.api.create(key, dict(spec))
        for name in NODES:
            self.api.create(Key("Node", name), {}, labels={})
        for name in REPLICAS:
            self.start_replica(name)
        for name in NODES:
            self.start_agent(name)

    # --- programs

    def start_agent(self, name: str) -> None:
        """The agent starts, if it does not run and the node has power."""
        machine = self.network.machines[name]
        if name not in self.agents and machine.is_powered:
            self._boots += 1
            started = TurningAgent(self.around, machine, f"boot-{self._boots}")
            started.neighbours = self.agents
            self.agents[name] = started

    def start_replica(self, name: str) -> None:
        """The operator starts anew and knows nothing."""
        index = REPLICAS.index(name)

        def reach(node: str, datagram: Ack | ProbeRequest) -> None:
            agent = self.agents.get(node)
            if agent:
                agent.receive(datagram, index)

        self.replicas[name] = DecidingReplica(self.around, name, reach)

    def _hear(self, datagram: Heartbeat | ProbeReport, index: int, signer: str) -> None:
        self.replicas[REPLICAS[index]].ears.take(datagram, signer)

    def hold(self, part: Part, *, held: bool = True) -> None:
        """A part stands still, or goes on."""
        name, what = part
        program = self.agents.get(name) or self.replicas.get(name)
        if program:
            (program.held.add if held else program.held.discard)(what)
        if what == "listen" and name in self.replicas:
            self.replicas[name].ears.is_held = held

    # --- time

    def tick(self) -> None:
        """A moment passes, and everything that is not held runs once."""
        self.clock.now = round(self.clock.now + TICK, 3)
        self.ticks += 1
        for name, what in self.order:
            program = self.agents.get(name) or self.replicas.get(name)
            if program and what not in program.held:
                getattr(program, what)()

        for address in [a for a in self.coming if self._is_nobodys(a)]:
            key, spec = self.coming.pop(address)
            if self.api.read(key) is None:
                self.api.create(key, spec)
            self.network.strangers[address] = "eth2" if address.startswith("10.2.") else "eth1"

    def _is_nobodys(self, address: str) -> bool:
        """Whether no node has it, or is about to, and every leader knows that nobody names it.

        Whoever takes an address that is on its way from one node to another is not noticed.
        """
        specs = [body["spec"] for key in ENTITIES if (body := self.api.read(key))]
        if any(spec["address"] == address for spec in specs):
            return False
        plumbings = map(parsing.plumbing, self.api.of_kind("NodePlumbing"))
        granted = [plumbing.granted for plumbing in plumbings]
        for replica in self.replicas.values():
            granted += [plan.addresses for plan in replica.last_plans.values()]
        if any(address in addresses for addresses in granted):
            return False
        if any(address in m.aliases for m in self.network.machines.values()):
            return False
        return all(replica.has_forgotten(address) for replica in self.replicas.values())

    def step(self, part: Part) -> None:
        """A part runs for as little as it can, held or not."""
        name, what = part
        program = self.agents.get(name) or self.replicas.get(name)
        if program:
            program.step(what)

    def shuffle(self, number: int) -> None:
        """From now on the parts run in another order."""
        order = list(PARTS)
        if number:
            random.Random(number).shuffle(order)  # noqa: S311 - only has to be the same each time
        self.order = tuple(order)
