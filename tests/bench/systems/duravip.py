"""DuraVIP: two operators and three agents as plain processes."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Final

from bench.phases import Line, lines
from bench.spread import VICTIM
from bench.systems.objects import Objects
from bench.systems.operators import Operators
from bench.systems.system import Act
from duravip_api import EXCLUDE_LABEL
from duravip_api.timing import STRICT_HOLD, STRICT_MARGIN
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet

ELSEWHERE: Final = ("n2", "n3")
"""Where the operators are, the one that leads first, unless the case wants it otherwise."""
TOGETHER: Final = (VICTIM, "n2")
SETTLED_WITHIN: Final = 60.0
A_THOUSAND: Final = 15.0
"""Seconds more for each thousand addresses: two statuses of each may have to be written."""
BREATH: Final = 0.5
"""Between the last write and the next event."""


class DuraVip:
    """Our own programs."""

    def __init__(self, lab: Lab, mature: float, fencing: str = "Segment") -> None:
        self._lab = lab
        self._mature = mature
        self._fencing = fencing
        self._count = 0
        self._is_labelled = False
        self._is_ending = False
        """Whether the victim's agent was asked to end, which takes a while."""
        self.fleet: Fleet
        self.operators: Operators
        self.objects: Objects

    @cached_property
    def acts(self) -> Mapping[str, Act]:
        """By case: what happens to it."""
        crash = self._lab.machines[VICTIM].crash
        return {
            "crash": crash,
            "leader-and-owner": crash,
            "move": self._exclude,
            "sigterm": self._terminate,
            "agent-killed": lambda: _now(self.fleet.agents[VICTIM].kill),
            "agent-frozen": lambda: _now(self.fleet.agents[VICTIM].stop),
            "control-plane-away": self._take_control_plane_away,
        }

    @cached_property
    def ends(self) -> Mapping[str, Act]:
        """By case: what ends that."""
        return {"agent-frozen": lambda: _now(self.fleet.agents[VICTIM].resume)}

    def patience(self, case: str, count: int) -> float:
        """What is promised, and a second to see two owners, if there are any."""
        base = {"leader-and-owner": 4.0, "agent-killed": 2.0, "agent-frozen": 2.0}
        wait = STRICT_HOLD + STRICT_MARGIN if self._fencing == "Strict" else 0.0
        return base.get(case, 1.5) + wait + 1.5 * count / 10_000

    def start(self) -> None:
        """Start the programs; there is a Topology, and no address yet."""
        self.fleet = Fleet(self._lab)
        self.objects = Objects(self._lab, self._fencing)
        self.operators = Operators(self._lab, self.fleet, self._mature)
        self.operators.place(*ELSEWHERE)
        for node in self._lab.nodes:
            self.fleet.start_agent(node.name)
        self.objects.create_topology()

    def serve(self, count: int) -> None:
        """Create what is missing of so many addresses."""
        self._bring_api_server_back()
        self.objects.create_addresses(self._count, count)
        self._count = count

    def settle(self, case: str) -> None:
        """Bring back what is missing, and wait until all of it is as before, and at rest."""
        self._bring_api_server_back()
        if self._is_labelled:
            self._lab.kubectl("label", "node", VICTIM, f"{EXCLUDE_LABEL}-")
            self._is_labelled = False
        if self._is_ending:
            self.fleet.agents[VICTIM].wait()
            self._is_ending = False
        for node in self._lab.nodes:
            node.ensure_on()
            if not self.fleet.agents[node.name].is_running:
                self.fleet.start_agent(node.name)
        self.operators.place(*(TOGETHER if case == "leader-and-owner" else ELSEWHERE))
        self._wait()
        time.sleep(BREATH)
        if case == "leader-and-owner":
            time.sleep(self._mature + BREATH)  # the other one has to know the agents by then

    def log(self) -> Iterator[Line]:
        """What its programs have logged since they were started last."""
        for name, operator in self.fleet.operators.items():
            yield from lines("operator", name, operator.output())
        for name, agent in self.fleet.agents.items():
            yield from lines("agent", name, agent.output())

    def _bring_api_server_back(self) -> None:
        if not self._lab.control_plane.api_server.is_running:
            self._lab.control_plane.start_api_server()
            self._lab.control_plane.wait_until_ready()

    def _wait(self) -> None:
        end = time.monotonic() + SETTLED_WITHIN + A_THOUSAND * self._count / 1000
        while problem := self._unsettled():
            if time.monotonic() > end:
                raise LabError(f"DuraVIP has not settled: {problem}")
            time.sleep(0.1 if self._count <= 1000 else 0.5)

    def _unsettled(self) -> str:
        heard_at = self.operators.heard_at()
        return self.objects.unsettled(self._count, heard_at) or self.operators.unsettled()

    def _exclude(self) -> float:
        when = time.monotonic()
        self._is_labelled = True
        self._lab.kubectl("label", "node", VICTIM, f"{EXCLUDE_LABEL}=true")
        return when

    def _terminate(self) -> float:
        self._is_ending = True
        return _now(self.fleet.agents[VICTIM].terminate)

    def _take_control_plane_away(self) -> float:
        when = time.monotonic()
        self._lab.control_plane.api_server.kill()
        for operator in self.fleet.operators.values():
            operator.kill()
        return when


def _now(act: Callable[[], object]) -> float:
    when = time.monotonic()
    act()
    return when
