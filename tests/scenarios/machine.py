"""A node of the scenarios: its cables, and an agent that does as it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from duravip_api.addresses import expand_ranges
from duravip_api.checks import parse_check
from duravip_api.heartbeat import address_digest
from duravip_api.listeners import WILDCARD, Listener, format_listeners
from duravip_operator.core.snapshot import Liveness, Suspicion

Body = dict[str, Any]


@dataclass
class Machine:
    """A node: its agent, and the cables of its interfaces."""

    number: int
    interfaces: dict[str, bool]
    agent: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    hearing: Liveness = Liveness.ALIVE
    silence: Suspicion = field(default_factory=Suspicion)
    """What is known of it while it is silent."""
    unwitnessed: frozenset[str] = frozenset()
    """Interfaces on which no other node hears it."""
    own: dict[str, list[str]] = field(default_factory=dict)
    """The own addresses of interfaces where they are not the usual ones."""
    listening: set[str] = field(default_factory=set)
    """What others on the node listen on, as a NodePlumbing says it."""
    failing: set[str] = field(default_factory=set)
    """The addresses that it does not get to hold."""
    claims: list[str] = field(default_factory=list)
    """Addresses that it reports as its own besides."""
    boasts: set[str] = field(default_factory=set)
    """Addresses that it reports as served, and does not serve."""
    spoilt: dict[str, str] = field(default_factory=dict)
    """What keeps interfaces from answering, by name."""
    is_mute: bool = False
    """Whether nothing that it has can be heard."""
    heard: list[Body] = field(default_factory=list)
    """The operator's condition."""
    notes: list[Body] = field(default_factory=list)
    """Conditions that it reports beside Ready."""
    lies: bool = False
    """Whether its beats contradict its status."""
    plumbing: Body = field(default_factory=dict)

    def act(self, strangers: Mapping[str, str] = MappingProxyType({})) -> None:
        """What an agent does: serve what is granted on the interfaces that are there.

        What is contested, and not served, is not taken from strangers: `{address: MAC}`.
        """
        before = set((self.plumbing["status"] or {}).get("served", ()))
        contested = {
            address
            for item in self.plumbing["spec"]["interfaces"]
            for address in expand_ranges(item["contested"])
        }
        granted = {
            address
            for item in self.plumbing["spec"]["interfaces"]
            if self.interfaces.get(item["name"]) and item["name"] not in self.spoilt
            if not self.is_mute
            for address in expand_ranges([*item["granted"], *item["contested"]])
        }
        answered = strangers.keys() & contested - before
        reason = "Muted" if self.is_mute else "AgentReady"
        self.report(served=sorted(granted - self.failing - answered), reason=reason)
        self.plumbing["status"]["contested"] = [
            {"address": address, "mac": strangers[address], "message": "another host has it"}
            for address in sorted(strangers.keys() & granted)
        ]
        self.plumbing["status"]["failures"] = [
            {"address": address, "message": "no"} for address in sorted(granted & self.failing)
        ]

    def beat(self) -> tuple[str, int, str]:
        """What the last beat says: boot, generation and digest."""
        status = self.plumbing["status"]
        served = frozenset(status.get("served", ())) ^ ({"10.9.9.9"} if self.lies else set())
        return "", status.get("observedGeneration") or 0, address_digest(served)

    def report(self, served: list[str], reason: str) -> None:
        """Write the status of the NodePlumbing."""
        self.plumbing["status"] = {
            "observedGeneration": self.plumbing["metadata"]["generation"],
            "served": sorted({*served, *self.boasts}),
            "listening": format_listeners(
                self.plumbing["spec"]["ports"],
                (Listener(*item.split(" ")) for item in self.listening),
            ),
            "passing": [check for check in self.plumbing["spec"]["checks"] if self._passes(check)],
            "strict": [
                item["name"]
                for item in self.plumbing["spec"]["interfaces"]
                if item["fencing"] == "Strict"
            ],
            "nics": [
                {
                    "name": name,
                    "index": index,
                    "up": True,
                    "carrier": carrier,
                    "unusable": self.spoilt.get(name),
                    "addresses": [*self.own.get(name, self._usual(name)), *self.claims],
                }
                for index, (name, carrier) in enumerate(self.interfaces.items(), 2)
            ],
            "conditions": [
                {
                    "type": "Ready",
                    "status": str(reason == "AgentReady"),
                    "reason": reason,
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                },
                *self.notes,
                *self.heard,
            ],
        }

    def _passes(self, check: str) -> bool:
        """Whether somebody listens where it connects to: what is answered is not looked at."""
        made = parse_check(check)
        return f"TCP/{made.port} {WILDCARD[made.version]}" in self.listening

    def _usual(self, interface: str) -> list[str]:
        """As in the lab: the first segment is 10.1, the second 10.2."""
        segment = interface.removeprefix("eth")
        return [] if segment == "0" else [f"10.{segment}.0.{self.number}/16"]
