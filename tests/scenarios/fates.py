"""What happens to the machines of a scenario: the verbs of `when` that no object is needed for."""

from collections.abc import Mapping
from typing import Any

from duravip_api import EXCLUDE_LABEL
from duravip_api.listeners import WILDCARD
from duravip_operator.core.snapshot import Liveness, Suspicion
from scenarios.machine import Machine


class Fates:
    """Each takes what stands behind its name in the scenario."""

    machines: dict[str, Machine]
    strangers: dict[str, str]
    """The MACs of hosts that are no nodes, by the address that each has."""

    def stranger(self, addresses: list[str]) -> None:
        """A host that is no node of ours takes exactly these addresses, announcing nothing."""
        self.strangers = dict.fromkeys(addresses, "02:00:00:00:00:99")

    def crash(self, nodes: list[str]) -> None:
        """The node loses power, and the pulse has noticed."""
        for name in nodes:
            machine = self.machines[name]
            machine.agent, machine.hearing = False, Liveness.SUSPECT
            seen = frozenset(machine.interfaces) - machine.unwitnessed
            machine.silence = Suspicion(unreachable_on=seen, is_self_fenced=True, is_lasting=True)

    def boot(self, nodes: list[str]) -> None:
        """The node is back, with nothing plumbed, and has been heard for long enough."""
        for name in nodes:
            machine = self.machines[name]
            machine.agent, machine.hearing = True, Liveness.ALIVE
            machine.report(served=[], reason="AgentStarting")

    def silence(self, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        """The agent is not heard; what else is known of it is given as in `Silence`."""
        for name, facts in nodes.items():
            self.machines[name].hearing = Liveness.SUSPECT
            self.machines[name].silence = Suspicion(
                unreachable_on=frozenset(facts.get("gone", ())),
                reachable_on=frozenset(facts.get("answering", ())),
                is_self_fenced=bool(facts.get("muted")),
                is_lasting=True,
            )

    def isolate(self, interfaces: Mapping[str, list[str]]) -> None:
        """The segment keeps other nodes from hearing this one."""
        for name, isolated in interfaces.items():
            self.machines[name].unwitnessed = frozenset(isolated)

    def hear(self, hearing: Mapping[str, str]) -> None:
        """The pulse says something of a node."""
        for name, word in hearing.items():
            self.machines[name].hearing = Liveness(word)

    def stop_agent(self, nodes: list[str]) -> None:
        """The agent withdraws everything and says goodbye."""
        for name in nodes:
            self.machines[name].agent = False
            self.machines[name].report(served=[], reason="AgentStopped")

    def start_agent(self, nodes: list[str]) -> None:
        """The agent starts again."""
        self.boot(nodes)

    def hang(self, nodes: list[str]) -> None:
        """The agent beats but acts on nothing."""
        for name in nodes:
            self.machines[name].agent = False

    def exclude(self, nodes: list[str]) -> None:
        """An administrator takes the node out."""
        self.label({name: {EXCLUDE_LABEL: "true"} for name in nodes})

    def include(self, nodes: list[str]) -> None:
        """And puts it back."""
        for name in nodes:
            del self.machines[name].labels[EXCLUDE_LABEL]

    def label(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Set labels of nodes."""
        for name, added in labels.items():
            self.machines[name].labels.update(added)

    def unplug(self, cables: Mapping[str, str]) -> None:
        """Pull the cable of an interface."""
        for name, interface in cables.items():
            self.machines[name].interfaces[interface] = False

    def plug(self, cables: Mapping[str, str]) -> None:
        """Put it back."""
        for name, interface in cables.items():
            self.machines[name].interfaces[interface] = True

    def bridge(self, cables: Mapping[str, str]) -> None:
        """An interface becomes a port of a bridge."""
        for name, interface in cables.items():
            self.machines[name].spoilt[interface] = "it is a port of br0"

    def unbridge(self, cables: Mapping[str, str]) -> None:
        """It is one no longer."""
        for name, interface in cables.items():
            del self.machines[name].spoilt[interface]

    def mute(self, nodes: list[str]) -> None:
        """A rule on lo drops what keeps the node's fence open."""
        for name in nodes:
            self.machines[name].is_mute = True

    def unmute(self, nodes: list[str]) -> None:
        """The rule is gone."""
        for name in nodes:
            self.machines[name].is_mute = False

    def listen(self, sockets: Mapping[str, list[str]]) -> None:
        """Programs on the node listen, e.g. on `TCP/25` with all addresses, or with one."""
        for name, listed in sockets.items():
            self.machines[name].listening.update(map(socket_named, listed))

    def hush(self, sockets: Mapping[str, list[str]]) -> None:
        """They end."""
        for name, listed in sockets.items():
            self.machines[name].listening.difference_update(map(socket_named, listed))

    def fail(self, addresses: Mapping[str, list[str]]) -> None:
        """Something on the node keeps it from holding these."""
        for name, failing in addresses.items():
            self.machines[name].failing.update(failing)

    def mend(self, nodes: list[str]) -> None:
        """Nothing does any more."""
        for name in nodes:
            self.machines[name].failing.clear()

    def claim(self, addresses: Mapping[str, list[str]]) -> None:
        """The node's agent reports exactly these as its own besides, e.g. `10.1.1.1/16`."""
        for name, claimed in addresses.items():
            self.machines[name].claims = list(claimed)

    def boast(self, addresses: Mapping[str, list[str]]) -> None:
        """The node's agent reports exactly these as served besides, and does not serve them."""
        for name, served in addresses.items():
            self.machines[name].boasts = set(served)

    def lie(self, nodes: list[str]) -> None:
        """The node's beats contradict its status."""
        for name in nodes:
            self.machines[name].lies = True

    def repent(self, nodes: list[str]) -> None:
        """They agree again."""
        for name in nodes:
            self.machines[name].lies = False

    def delete_plumbing(self, nodes: list[str]) -> None:
        """Somebody deletes NodePlumbings by hand."""
        for name in nodes:
            self.machines[name].plumbing = {}

    def delete_node(self, nodes: list[str]) -> None:
        """The Node object goes; the agent there still runs."""
        for name in nodes:
            self.machines[name].labels["deleted"] = "true"


def socket_named(text: str) -> str:
    """A socket as a NodePlumbing names it; one without an address is bound to all of IPv4."""
    return text if " " in text else f"{text} {WILDCARD[4]}"
