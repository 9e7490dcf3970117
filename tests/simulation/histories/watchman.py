"""What must hold in every history: who may answer beside whom, and what a move must have."""

from collections.abc import Iterator, Mapping
from typing import Any

from duravip_agent.core.watchdog_rule import DEFAULTS
from duravip_api.reasons import MoveReason
from simulation.histories.apiserver import Watch
from simulation.histories.cluster import TICK, Cluster

HEALED = 0.3
"""Seconds that two may answer on a segment that has just become one: until the one without contact
asks, which it does all the time when it has had none for half a second."""
HANGING = DEFAULTS.watchdog + DEFAULTS.progress
"""The same, where an agent does not run as it should."""
LOST = DEFAULTS.watchdog
"""And where a probe was lost."""
JUST = 0.16
"""A lost probe leads to a second owner so soon, or never: within three ticks."""

Group = tuple[str, str]
"""An address, and a segment."""


class Watchman:
    """Looks at the cluster after every tick."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watch = self._watched()
        self._moves: dict[str, Mapping[str, Any]] = {}
        self._since: dict[Group, float] = {}
        """Since when two answer."""
        self._invaded: set[tuple[str, str]] = set()
        """`(node, address)`: who answers beside a stranger."""
        self._unnoticed: set[str] = set()
        """What a node has taken from a stranger whom it could not hear."""
        self._parted: dict[str, object] = {}
        self._joined: dict[str, float] = {}
        """When the parts of a segment last became one, or a cable was put in."""
        self.longest = dict.fromkeys(("healed", "healed, held", "lost"), 0.0)
        """For how long two have answered."""

    def _watched(self) -> Watch:
        self._restorations = self._cluster.api.restorations
        return Watch(self._cluster.api, frozenset({"DuraVIP", "Binding"}))

    def look(self) -> str:
        """What is wrong; empty: nothing."""
        network, now = self._cluster.network, self._cluster.clock.now
        for segment in ("eth1", "eth2"):
            up = {n: m.up[segment] for n, m in network.machines.items()}
            parted = (network.away.get(segment), up)
            if parted != self._parted.get(segment, parted):
                self._joined[segment] = now
            self._parted[segment] = parted
        twice: dict[Group, list[str]] = {}
        for (address, segment, _), nodes in network.audible().items():
            if len(nodes) > 1:
                twice[address, segment] = nodes
        self._since = {group: self._since.get(group, now - TICK) for group in twice}
        wrong = [self._judge(group, twice[group]) for group in twice]
        wrong += self._invaders()
        return "; ".join(filter(None, wrong))

    def _invaders(self) -> list[str]:
        """Nodes that have just taken what a stranger has, though they could have heard him.

        What one node has taken unnoticed it may pass on to another one, which is granted it freely
        and asks nobody.
        """
        network = self._cluster.network
        before, self._invaded, wrong = self._invaded, set(), []
        self._unnoticed &= network.strangers.keys()
        for address, segment in network.strangers.items():
            for node in network.machines:
                if not network.is_audible(node, address):
                    continue
                self._invaded.add((node, address))
                if (node, address) in before or self._is_passed_on(node, address):
                    continue
                if self._is_heard(node, address, segment):
                    wrong.append(f"a stranger and {node} answer for {address} on {segment}")
                self._unnoticed.add(address)
        return wrong

    def _is_passed_on(self, node: str, address: str) -> bool:
        agent = self._cluster.agents.get(node)
        if agent is None or address not in self._unnoticed:
            return False
        return any(address in share.free for share in agent.specs.in_force.shares)

    def _is_heard(self, node: str, address: str, segment: str) -> bool:
        """Whether a node that has just taken an address could hear that it is a stranger's."""
        network = self._cluster.network
        lost = network.lost.get(address, float("-inf"))
        return network.hears_strangers(node, segment) and self._cluster.clock.now - lost > JUST

    def moves(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """`(name of an entity, its lastMove)` of every change of owner since the last look."""
        if self._restorations != self._cluster.api.restorations:
            self._watch = self._watched()
        while change := self._watch.next():
            move = (change.body.get("status") or {}).get("lastMove")
            uid = change.body["metadata"]["uid"]
            if move and move != self._moves.get(uid):
                self._moves[uid] = move
                MoveReason(move["reason"])
                yield change.key.name, move

    def _judge(self, group: Group, nodes: list[str]) -> str:
        address, segment = group
        now, since = self._cluster.clock.now, self._since[group]
        lasted = now - since
        lost = self._cluster.network.lost.get(address, float("-inf"))
        if 0 <= since + TICK - self._joined.get(segment, float("-inf")) <= TICK:
            agents = map(self._cluster.agents.get, nodes)
            is_held = any(agent is None or agent.held for agent in agents)
            cause, most = ("healed, held", HANGING) if is_held else ("healed", HEALED)
        elif 0 <= since + TICK - lost <= JUST:
            cause, most = "lost", LOST
        elif not self._cluster.stolen.isdisjoint(nodes):
            return ""  # whoever has a node's key can lie about that node
        else:
            return f"{' and '.join(nodes)} answer for {address} on {segment}"
        self.longest[cause] = max(self.longest[cause], lasted)
        if lasted <= most + TICK:
            return ""
        return f"{' and '.join(nodes)} answer for {address} {lasted:.2f} s after it was {cause}"
