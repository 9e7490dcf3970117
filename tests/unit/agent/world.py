"""An agent that makes its steps, with everything around it played by a few lines."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from duravip_agent import clock
from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_commands import NodeCommands
from duravip_agent.core.node_health import NodeHealth
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.watchdog_rule import LeaderContact, Timeouts
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.address_manager import AddressManager
from duravip_agent.kernel.fence_keeper import FenceKeeper
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.kernel.released_addresses import ReleasedAddresses
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Reconciler, StepContext
from duravip_api.addresses import union
from duravip_api.guards import NO_GUARDS, Guards

A, B, C = "10.1.1.1", "10.1.1.2", "10.1.1.3"


class World(NullFence):
    """A kernel, a fence, a dead-man, an announcer: all write down what is asked of them."""

    guard_problem = ""

    def __init__(self, *plumbed: str, is_fenced: bool = True) -> None:
        super().__init__()
        self.log: list[str] = []
        self.aliases = {alias(address) for address in plumbed}
        self.watched = frozenset(plumbed)
        self.refuses: set[str] = set()
        self.knows_routes = False
        self.takes = 0.0
        """How much of the contact is over once something was plumbed."""
        self.contact: LeaderContact | None = None
        self.link = Link(2, "eth0", is_up=True, has_carrier=True)
        self.guards: Guards = NO_GUARDS
        self.hears = True
        """Whether the refreshes arrive."""
        self.is_changed = False
        """Whether somebody has changed the fence."""
        self.is_fought = False
        self.can_fence = is_fenced

    @property
    def is_fenced(self) -> bool:  # type: ignore[override]
        return self.can_fence and not self.is_fought

    def is_fed(self) -> bool:
        return self.hears

    def repair(self) -> bool:
        was_changed, self.is_changed = self.is_changed, False
        return was_changed

    def activate(self, addresses: Any) -> None:
        self._say("activate", addresses)
        super().activate(addresses)

    def deactivate(self, addresses: Any) -> None:
        self._say("deactivate", self.active.intersection(addresses))
        super().deactivate(addresses)

    def guard(self, guards: Guards) -> None:
        if guards is not self.guards:
            self._say("guard", union(guards.values()))
        self.guards = guards
        super().guard(guards)

    def feed(self) -> None:
        self.log.append("feed")

    def mute(self) -> None:
        if self.log[-1:] != ["mute"]:
            self.log.append("mute")

    def read_state(self, *, with_links: bool) -> KernelState:
        del with_links
        return KernelState((self.link,), tuple(sorted(self.aliases)))

    def restore_mark(self, aliases: Sequence[IfAddress]) -> set[IfAddress]:
        self._say("mark", aliases)
        refused = {one for one in aliases if one.address in self.refuses}
        self.aliases -= {one._replace(is_marked=False) for one in aliases}
        self.aliases |= {one._replace(is_marked=one not in refused) for one in aliases}
        return refused

    def add(self, aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        return self._change("add", aliases, self.aliases.add)

    def delete(self, aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        return self._change("delete", aliases, self.aliases.discard)

    def settings_changed(self) -> bool:
        return False

    def links_changed(self, links: tuple[Link, ...], now: float) -> None: ...

    def next_due(self, now: float) -> float:
        return now + 60.0

    def set_served(self, served: Mapping[Placement, frozenset[str]], now: float) -> None: ...

    def announce_new(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        del now
        self.log.append(f"announce {sum(map(len, served.values()))}")
        if self.contact:
            self.contact = self.contact._replace(sent=self.contact.sent - self.takes)

    def announce(self, now: float) -> None: ...

    def answers_arp_for_routes(self, interface: str) -> bool:
        del interface
        return self.knows_routes

    def add_routes(self, aliases: Sequence[IfAddress]) -> set[IfAddress]:
        self._say("route", aliases)
        return set()

    def delete_routes(self, aliases: Sequence[IfAddress]) -> None:
        self._say("unroute", aliases)

    def defend(self, addresses: frozenset[str], now: float) -> None:
        del now
        self._say("defend", addresses)

    def announce_again(self, addresses: frozenset[str], now: float) -> None:
        del now
        self._say("renew", addresses)

    def probe_contested(self, generation: int, addresses: Mapping[str, frozenset[str]]) -> None:
        del generation
        self.log.append(f"probe {sum(map(len, addresses.values()))}")

    def set_held(self, addresses: object, links: object) -> None: ...

    def check_held(self, now: float) -> None: ...

    def sample(self, now: float, claimed: object) -> None: ...

    def read_soon(self) -> None:
        self.log.append("read")

    def _say(self, verb: str, addresses: Any) -> None:
        if addresses:
            self.log.append(f"{verb} {len(addresses)}")

    def _change(
        self, verb: str, aliases: Sequence[IfAddress], change: Any
    ) -> dict[IfAddress, str]:
        self.log.append(f"{verb} {len(aliases)}")
        refused = {alias: "no" for alias in aliases if alias.address in self.refuses}
        for one in aliases:
            if one not in refused:
                change(one)
        return refused


class Agent:
    """All of the agent that makes a step."""

    def __init__(self, world: Any, *, is_new: bool = False) -> None:
        """Make one that has been running for a while, with nothing granted; or one that starts."""
        self.world, self.specs, self.metrics = world, SpecTracker(), Metrics("1.0")
        self.timeouts = Timeouts(watchdog=60.0, contact=60.0, strict_hold=180.0, progress=60.0)
        self.watchdog = Watchdog(world, self.timeouts, self.metrics, lambda: None)
        self.health, self.commands = NodeHealth(), NodeCommands()
        self.released = ReleasedAddresses()
        self.facts = FactCollector(self.specs, self.watchdog, lambda: world.contact, self.health)
        self.addresses = AddressManager(world, self.metrics)
        self.reconciler = Reconciler(
            specs=self.specs,
            fence=world,
            watchdog=self.watchdog,
            facts=self.facts,
            addresses=self.addresses,
            announcer=world,
            conflict_checks=world,
            released=self.released,
            health=self.health,
            metrics=self.metrics,
            read_spec_soon=world.read_soon,
        )
        self.generation = 0
        if not is_new:
            self.grant()
            self.facts.facts(frozenset())  # it has acted on it

    def fence_keeper(self) -> FenceKeeper:
        return FenceKeeper(self.world, self.released, self.watchdog, self.health, self.metrics)

    def grant(
        self,
        *free: str,
        contested: tuple[str, ...] = (),
        guarded: tuple[str, ...] = (),
        is_known: bool = True,
    ) -> None:
        self.generation += 1
        entry = {"name": "eth0", "mask": 32, "granted": [*free], "contested": [*contested]}
        metadata = {
            "uid": "u", "generation": self.generation, "resourceVersion": str(self.generation)
        }  # fmt: skip
        body = {"metadata": metadata, "spec": {"interfaces": [entry], "guarded": [*guarded]}}
        self.specs.first_report_stored(body)
        assert self.specs.accept(body)
        if is_known:
            self.world.contact = LeaderContact(clock.now(), 0, self.generation)

    def step(
        self, *, stop_after: int = 99, needs_plan: bool = True, may_delete: bool = True
    ) -> list[str]:
        answers = [False] * stop_after + [True] * 99
        self.world.log.clear()
        self.addresses.read_kernel(with_links=True)
        report = lambda: self.world.log.append("report")  # noqa: E731 - a word of the log
        context = StepContext(0.0, needs_plan, report, lambda: answers.pop(0), may_delete)
        self.is_done = self.reconciler.reconcile(context)
        return list(self.world.log)

    def rest(self) -> list[str]:
        """Make the step that does what nobody waits for."""
        while self.reconciler.deferred_due > clock.now():
            time.sleep(0.01)
        return self.step()


def alias(address: str) -> IfAddress:
    return IfAddress(2, address, 32, is_marked=True)


def serving(*addresses: str) -> Agent:
    agent = Agent(World())
    agent.grant(*addresses)
    agent.step()
    assert agent.reconciler.served == set(addresses)
    return agent
