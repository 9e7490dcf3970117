"""An agent that makes its steps, with everything around it played by a few lines."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from duravip_agent import clock
from duravip_agent.core.kernel_state import Alias, Link, Observed
from duravip_agent.core.node_health import Health
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.spec_tracker import Specs
from duravip_agent.core.watchdog_rule import Contact, Limits
from duravip_agent.facts import Judge, Sources
from duravip_agent.kernel.address_manager import Plumber
from duravip_agent.kernel.null_fence import Unfenced
from duravip_agent.kernel.watchdog import Lifeline
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Handover
from duravip_agent.tools import Occasion, Tools

A, B, C = "10.1.1.1", "10.1.1.2", "10.1.1.3"


class World(Unfenced):
    """A kernel, a fence, a dead-man, an announcer: all write down what is asked of them."""

    def __init__(self, *plumbed: str, is_fenced: bool = True) -> None:
        super().__init__()
        self.log: list[str] = []
        self.aliases = {alias(address) for address in plumbed}
        self.vips = frozenset(plumbed)
        self.refuses: set[str] = set()
        self.knows_routes = False
        self.takes = 0.0
        """How much of the contact is over once something was plumbed."""
        self.contact: Contact | None = None
        self.link = Link(2, "eth0", is_up=True, has_carrier=True)
        self.hears = True
        """Whether the refreshes arrive."""
        self.is_changed = False
        """Whether somebody has changed the fence."""
        self.is_fought = False
        self.can_fence = is_fenced

    @property
    def is_fenced(self) -> bool:  # type: ignore[override]
        return self.can_fence and not self.is_fought

    def is_alive(self) -> bool:
        return self.hears

    def mend(self) -> bool:
        was_changed, self.is_changed = self.is_changed, False
        return was_changed

    def take(self, addresses: Any) -> None:
        self._say("take", addresses)
        super().take(addresses)

    def release(self, addresses: Any) -> None:
        self._say("release", self.held.intersection(addresses))
        super().release(addresses)

    def refresh(self) -> None:
        self.log.append("refresh")

    def mute(self) -> None:
        if self.log[-1:] != ["mute"]:
            self.log.append("mute")

    def observed(self, *, with_links: bool) -> Observed:
        del with_links
        return Observed((self.link,), tuple(sorted(self.aliases)))

    def mark_again(self, aliases: Sequence[Alias]) -> set[Alias]:
        self._say("mark", aliases)
        refused = {one for one in aliases if one.address in self.refuses}
        self.aliases -= {one._replace(is_marked=False) for one in aliases}
        self.aliases |= {one._replace(is_marked=one not in refused) for one in aliases}
        return refused

    def add(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        return self._change("add", aliases, self.aliases.add)

    def delete(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        return self._change("delete", aliases, self.aliases.discard)

    def has_other_settings(self) -> bool:
        return False

    def links_changed(self, links: tuple[Link, ...], now: float) -> None: ...

    def next_due(self, now: float) -> float:
        return now + 60.0

    def serving(self, served: Mapping[Placement, frozenset[str]], now: float) -> None: ...

    def plumbed(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        del now
        self.log.append(f"announce {sum(map(len, served.values()))}")
        if self.contact:
            self.contact = self.contact._replace(sent=self.contact.sent - self.takes)

    def announce(self, now: float) -> None: ...

    def answers_for_routes(self, interface: str) -> bool:
        del interface
        return self.knows_routes

    def add_routes(self, aliases: Sequence[Alias]) -> set[Alias]:
        self._say("route", aliases)
        return set()

    def delete_routes(self, aliases: Sequence[Alias]) -> None:
        self._say("unroute", aliases)

    def defend(self, addresses: frozenset[str], now: float) -> None:
        del now
        self._say("defend", addresses)

    def renew(self, addresses: frozenset[str], now: float) -> None:
        del now
        self._say("renew", addresses)

    def ask(self, generation: int, addresses: Mapping[str, frozenset[str]]) -> None:
        del generation
        self.log.append(f"ask {sum(map(len, addresses.values()))}")

    def hold(self, addresses: object, links: object) -> None: ...

    def check(self, now: float) -> None: ...

    def sample(self, now: float, claimed: object) -> None: ...

    def read_soon(self) -> None:
        self.log.append("read")

    def _say(self, verb: str, addresses: Any) -> None:
        if addresses:
            self.log.append(f"{verb} {len(addresses)}")

    def _change(self, verb: str, aliases: Sequence[Alias], change: Any) -> dict[Alias, str]:
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
        self.world, self.specs, metrics = world, Specs(), Metrics("1.0")
        self.limits = Limits(dead_man=60.0, contact=60.0, strict_hold=180.0, progress=60.0)
        self.lifeline = Lifeline(world, self.limits, metrics, lambda: None)
        health = Health()
        self.judge = Judge(Sources(self.specs, self.lifeline, lambda: world.contact, health))
        self.plumber = Plumber(world, metrics)
        self.tools = Tools(
            *(self.specs, world, self.lifeline, self.judge, self.plumber, world, world, metrics),
            health=health,
        )
        self.handover = Handover(self.tools)
        self.generation = 0
        if not is_new:
            self.grant()
            self.judge.facts(frozenset())  # it has acted on it

    def grant(self, *free: str, contested: tuple[str, ...] = (), is_known: bool = True) -> None:
        self.generation += 1
        entry = {"name": "eth0", "mask": 32, "granted": [*free], "contested": [*contested]}
        metadata = {
            "uid": "u", "generation": self.generation, "resourceVersion": str(self.generation)
        }  # fmt: skip
        body = {"metadata": metadata, "spec": {"interfaces": [entry]}}
        self.specs.introduced(body)
        assert self.specs.take(body)
        if is_known:
            self.world.contact = Contact(clock.now(), 0, self.generation)

    def step(
        self, *, stop_after: int = 99, is_dirty: bool = True, may_delete: bool = True
    ) -> list[str]:
        answers = [False] * stop_after + [True] * 99
        self.world.log.clear()
        self.plumber.look(with_links=True)
        speak = lambda: self.world.log.append("report")  # noqa: E731 - a word of the log
        occasion = Occasion(0.0, is_dirty, speak, lambda: answers.pop(0), may_delete)
        self.is_done = self.handover.step(occasion)
        return list(self.world.log)

    def rest(self) -> list[str]:
        """Make the step that does what nobody waits for."""
        while self.handover.rest_due > clock.now():
            time.sleep(0.01)
        return self.step()


def alias(address: str) -> Alias:
    return Alias(2, address, 32, is_marked=True)


def serving(*addresses: str) -> Agent:
    agent = Agent(World())
    agent.grant(*addresses)
    agent.step()
    assert agent.handover.served == set(addresses)
    return agent
