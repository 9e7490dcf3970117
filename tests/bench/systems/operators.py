"""The two operators: where they run, which of them leads, what they show."""

import sys
from typing import Final

from bench.scrapes import value
from bench.spread import NODES
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import PULSE_PORT, Fleet, wait_until

URL: Final = "http://127.0.0.1:9480/metrics"
AGENT_URL: Final = "http://127.0.0.1:9481/metrics"
PREFIX: Final = "duravip_operator"
FETCH: Final = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"


class Operators:
    """Those of one fleet."""

    def __init__(self, lab: Lab, fleet: Fleet, mature: float) -> None:
        self._lab = lab
        self._fleet = fleet
        self._mature = mature
        self.leader = ""
        """Where the one runs that leads, as placed."""

    def place(self, leader: str, standby: str) -> None:
        """Have one operator on each of these machines, and the first of them lead."""
        for machine in set(self._fleet.operators) - {leader, standby}:
            self._end(machine)
        for machine in (leader, standby):
            running = self._fleet.operators.get(machine)
            if running is None or not running.is_running:
                self._fleet.start_operator(machine, mature=self._mature)
        wait_until(lambda: self._leads(leader) or self._leads(standby), "an operator leads")
        if not self._leads(leader):
            self._end(standby)
            wait_until(lambda: self._leads(leader), f"the operator on {leader} leads")
            self._fleet.start_operator(standby, mature=self._mature)
        self.leader = leader

    def heard_at(self) -> frozenset[str]:
        """Where each of them hears beats, as HOST:PORT."""
        nics = [self._lab.machines[name].blueprint.nics[0] for name in self._fleet.operators]
        return frozenset(f"{nic.addresses[0].partition('/')[0]}:{PULSE_PORT}" for nic in nics)

    def metrics(self) -> str:
        """What the one that leads shows under /metrics."""
        return self._shown(self.leader)

    def agents_sum(self, name: str) -> float:
        """What one metric of the agents is in all."""
        shown = [self._shown(node, AGENT_URL) for node in NODES]
        return sum(value(text, name) for text in shown)

    def unsettled(self) -> str:
        """What the one that leads still has to do; empty when nothing is."""
        try:
            shown = self.metrics()
        except LabError:
            return "the operator does not answer"
        if value(shown, f"{PREFIX}_leading") != 1:
            return f"the operator on {self.leader} does not lead"
        if pending := value(shown, f"{PREFIX}_pending_statuses"):
            return f"{pending:.0f} statuses are still to be written"
        alive = value(shown, f"{PREFIX}_nodes", hearing="alive")
        if alive != len(NODES):
            return f"{alive:.0f} of {len(NODES)} agents are heard"
        return ""

    def _end(self, machine: str) -> None:
        operator = self._fleet.operators.pop(machine)
        operator.terminate()
        operator.wait()

    def _leads(self, machine: str) -> bool:
        """As it says itself: the Lease may still name one that is dead."""
        try:
            return value(self._shown(machine), f"{PREFIX}_leading") == 1
        except LabError:
            return False

    def _shown(self, machine: str, url: str = URL) -> str:
        return self._lab.machines[machine].run([sys.executable, "-c", FETCH, url])
