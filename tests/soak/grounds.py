"""Where it happens: the lab, the programs on it, the objects; and whether all of it is at rest."""

import time
from random import Random
from typing import Final

from kubernetes import client
from urllib3.exceptions import HTTPError

from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet
from soak.objects import Objects

OPERATORS: Final = ("cp", "n2")
"""Two of them: one falls with a node, the other one with nothing but itself."""
SETTLES_WITHIN: Final = 180.0
HOST_MASKS: Final = ("/32", "/128")
"""Of our aliases; a node's own addresses have others."""


class Grounds:
    """A DuraVIP of two operators and three agents."""

    def __init__(self, lab: Lab, rng: Random) -> None:
        self.lab = lab
        self.fleet = Fleet(lab)
        self.objects = Objects(lab, rng)

    def start(self, addresses: int) -> None:
        """Start everything, and wait until all of it is served."""
        self.fleet.start(OPERATORS)
        self.objects.create_topologies()
        self.objects.create(addresses)
        self.settle()

    def settle(self) -> float:
        """Wait until all is as asked for, and told truly; the seconds that it took."""
        started = time.monotonic()
        while wrongs := self.wrongs():
            if time.monotonic() - started > SETTLES_WITHIN:
                told = "; ".join(wrongs[:5])
                raise LabError(f"not settled after {SETTLES_WITHIN:g} s: {len(wrongs)}: {told}")
            time.sleep(0.3)
        return time.monotonic() - started

    def stay_calm(self, seconds: float) -> None:
        """Wait until no owner has changed for so long."""
        owners, since = self.fleet.owners(), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(1)
            if (now := self.fleet.owners()) != owners:
                owners, since = now, time.monotonic()

    def wrongs(self) -> list[str]:
        """What is not at rest; the segment is asked only when the statuses are well."""
        try:
            owners = {address: owner for address, owner in self.fleet.owners().items() if owner}
        except (client.ApiException, HTTPError) as error:
            return [f"the API server does not answer: {error}"]
        if wrongs := self.objects.wrongs(owners):
            return wrongs
        answering = self.lab.who_answers(self.objects.addresses)
        return [
            f"{address}: {answering.get(address, 'nobody')} answers, not {owner}"
            for address, owner in owners.items()
            if answering.get(address) != owner
        ]

    def is_empty(self, node: str) -> bool:
        """Whether other nodes own everything."""
        owners = self.fleet.owners().values()
        return node not in owners and "" not in owners

    def power_on(self, node: str) -> None:
        """Switch it on, with the programs that run there."""
        self.lab.machines[node].power_on()
        self.fleet.start_agent(node)
        if node in OPERATORS:
            self.fleet.start_operator(node)

    def start_operator(self, machine: str) -> None:
        """Start it anew; also when it is about to end."""
        if self.lab.machines[machine].is_on:
            self.fleet.operators[machine].wait(30)
            self.fleet.start_operator(machine)

    def restart_agent(self, node: str) -> None:
        """Start it anew once it has ended."""
        self.fleet.agents[node].wait(30)
        self.fleet.start_agent(node)

    def start_api_server(self) -> None:
        """Start it anew; it answers when this returns."""
        self.lab.control_plane.start_api_server()
        self.lab.control_plane.wait_until_ready()

    def delete_alias(self, node: str, rng: Random) -> None:
        """Delete one of the addresses that the agent has added there, if there is any."""
        machine = self.lab.machines[node]
        shown = machine.run(["ip", "-o", "address", "show", "dev", "eth1"])
        aliases = [line.split()[3] for line in shown.splitlines()]
        aliases = [alias for alias in aliases if alias.endswith(HOST_MASKS)]
        if aliases:
            machine.run(["ip", "address", "del", rng.choice(aliases), "dev", "eth1"])

    def programs(self) -> dict[str, int]:
        """The processes of all programs that run, by what they are and where."""
        kinds = {"agent": self.fleet.agents, "operator": self.fleet.operators}
        return {
            f"{kind} {where}": program.pid
            for kind, all_of_it in kinds.items()
            for where, program in all_of_it.items()
            if program.is_running
        }
