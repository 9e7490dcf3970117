"""A real Prometheus scrapes real programs: every alert fires on its fault, on nothing else.

The rules are those of the chart, word for word but for `for`: minutes are some seconds here.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from api.objects import address_pool, apply, duravip, service, topology
from faults.expected import ADDRESSES, OWNERS, home, moved
from faults.fleets import plumbings
from faults.test_strangers import add, claim
from lab import charts
from lab.charts import CHART
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.layout import SEGMENT, Nic, control_address
from lab.machines import Blueprint, Machine
from lab.pki import Pki
from lab.prometheus import Prometheus

WAITS: Final = "1s"
"""The `for` of every rule that has one."""
QUIET_FOR: Final = float(os.environ.get("QUIET_S", "8"))
"""Seconds without a fault, in each of which everything is scraped once."""
LASTING: Final = ("FenceLapse", "FailoverSlow", "HeartbeatsLost")
"""They look back, and go on when their fault is over. A busy machine may be the fault."""
LYING_AGENT: Final = Path(__file__).parents[1] / "faults/lying_agent.py"
DASHBOARD: Final = json.loads((CHART / "files/dashboard.json").read_text())["panels"]
OPERATORS: Final = {"cp": "10.77.0.10", "n1": control_address(1)}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One of its own: its programs can be asked for their metrics by others."""
    with Lab("api") as lab:
        yield lab


def ports() -> dict[str, int]:
    """Where the chart's PodMonitors have each program scraped."""
    options = ("monitoring.podMonitors.enabled", "agent.exposeMetrics")
    made = charts.rendered(*(f"--set={option}=true" for option in options))
    found = {}
    for monitor in (item for item in made if item["kind"] == "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        selected = monitor["spec"]["selector"]["matchLabels"].items()
        for item in made:
            template = item.get("spec", {}).get("template", {})
            if selected <= template.get("metadata", {}).get("labels", {}).items():
                (container,) = template["spec"]["containers"]
                of_name = {port["name"]: port["containerPort"] for port in container["ports"]}
                found[monitor["metadata"]["name"]] = of_name[endpoint["port"]]
    return found


def hasty_rules() -> dict[str, Any]:
    """The chart's, which wait for seconds only."""
    rules: dict[str, Any] = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    for rule in rules["groups"][0]["rules"]:
        if "for" in rule:
            rule["for"] = WAITS
    return rules


class Watched:
    """A fleet whose programs Prometheus scrapes where the chart's PodMonitors would."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.fleet = Fleet(lab)
        self._ports = ports()
        for machine in OPERATORS:
            folder = lab.layout.home / f"webhook-{machine}"
            folder.mkdir()
            for name in ("tls.crt", "tls.key"):
                (folder / name).write_text("no certificate\n")
            self.start_operator(machine)
        for node in lab.nodes:
            self.start_agent(node.name)
        apply(lab, [topology()])
        apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in OWNERS.items()])
        nodes = [control_address(n + 1) for n in range(len(lab.nodes))]
        jobs = {"duravip-operator": OPERATORS.values(), "duravip-agent": nodes}
        targets = {job: [f"{a}:{self._ports[job]}" for a in at] for job, at in jobs.items()}
        self.prometheus = Prometheus(lab.machines["cp"], targets, hasty_rules())

    def start_operator(self, machine: str) -> None:
        folder = self.lab.layout.home / f"webhook-{machine}"
        asked = (f"--webhook-listen={OPERATORS[machine]}:9443", f"--webhook-cert-dir={folder}")
        listen = f"--http-listen=0.0.0.0:{self._ports['duravip-operator']}"
        self.fleet.start_operator(machine, listen, *asked)

    def start_agent(self, node: str, *program: str) -> None:
        listen = f"--http-listen=0.0.0.0:{self._ports['duravip-agent']}"
        self.fleet.start_agent(node, listen, program=program)

    def until_quiet(self) -> None:
        """All runs, every address is at home, no alert fires but those that look back."""
        wait_until(self.prometheus.is_scraping, "every program is scraped")
        home(self.fleet)
        wait_until(lambda: not brief(self.prometheus.firing()), "no alert fires any more", 60)


def brief(alerts: Iterable[str]) -> set[str]:
    """Those that end with their fault."""
    return {alert for alert in alerts if not alert.startswith(LASTING)}


@pytest.fixture(scope="module")
def watched(lab: Lab) -> Watched:
    return Watched(lab)


@pytest.fixture(scope="module")
def certified(watched: Watched) -> Watched:
    """With certificates, which the operators take by themselves."""
    for machine, address in OPERATORS.items():
        folder = watched.lab.layout.home / f"webhook-{machine}"
        Pki(watched.lab.layout).serving(folder, f"IP:{address}")
    return watched


@contextmanager
def objects(lab: Lab, *bodies: dict[str, Any]) -> Iterator[None]:
    """Objects that are there meanwhile."""
    apply(lab, bodies)
    yield
    for body in bodies:
        lab.kubectl("delete", body["kind"], body["metadata"]["name"])


def stranger(watched: Watched) -> Iterator[None]:
    """A host that is none of the nodes has an address that is served."""
    lab = watched.lab
    nic = Nic("eth1", SEGMENT, ("10.1.0.200/16",))
    machine = Machine(Blueprint("stranger", (nic,)), lab.layout, lab.network)
    with objects(lab, duravip("vip-9", "10.1.1.9", preference="n2")):
        wait_until(lambda: watched.fleet.owners().get("10.1.1.9") == "n2", "it is served")
        machine.power_on()
        add(machine, "10.1.1.9")
        claim(machine, "10.1.1.9")
        yield
        machine.crash()


def two_owners(watched: Watched) -> Iterator[None]:
    """Only an agent that lies makes two of them: it has not acted on its spec, and serves all."""
    file = watched.lab.layout.home / "lies"
    file.write_text(json.dumps({"served": [*ADDRESSES], "observedGeneration": 1}))
    end_agent(watched)
    watched.start_agent("n3", sys.executable, str(LYING_AGENT), str(file))
    yield
    end_agent(watched)
    watched.start_agent("n3")


def end_agent(watched: Watched) -> None:
    watched.fleet.agents["n3"].terminate()
    watched.fleet.agents["n3"].wait()
    moved(watched.fleet)


def isolated(watched: Watched) -> Iterator[None]:
    """A block on cards of two nodes that do not hear each other."""
    nodes = [watched.lab.machines[name] for name in ("n2", "n3")]
    for node in nodes:
        node.run(["ip", "link", "add", "lone0", "type", "veth", "peer", "name", "lone1"])
        for card in ("lone0", "lone1"):
            node.run(["ip", "link", "set", card, "up"])
        node.run(["ip", "address", "add", f"10.9.0.{node.name[1:]}/24", "dev", "lone0"])
    with objects(watched.lab, topology("lone", "10.9.0.0/24", interface="lone0")):
        yield
    for node in nodes:
        node.run(["ip", "link", "delete", "lone0"])


def drained(watched: Watched) -> Iterator[None]:
    """Nothing may be on the node that an address prefers."""
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    watched.lab.kubectl("label", "node", "n3", f"{label}=duravip")
    yield
    watched.lab.kubectl("label", "node", "n3", f"{label}-")


def no_fence(watched: Watched) -> Iterator[None]:
    """Something on the node takes away what keeps its addresses audible."""
    n3 = watched.lab.machines["n3"]
    early = "type filter hook output priority -500;"
    n3.run(f"nft add table ip q {{ chain o {{ {early} udp dport 9 drop; }}; }}".split())
    yield
    n3.run(["nft", "delete", "table", "ip", "q"])


def frozen(watched: Watched) -> Iterator[None]:
    """An agent stands still for longer than `--dead-man-after`."""
    watched.fleet.agents["n3"].stop()
    moved(watched.fleet)
    watched.fleet.agents["n3"].resume()
    yield


def cut_path(watched: Watched) -> Iterator[None]:
    """No heartbeat of a node arrives."""
    n3 = watched.lab.machines["n3"]
    output = "type filter hook output priority 0;"
    n3.run(f"nft add table ip q {{ chain o {{ {output} udp dport 7946 drop; }}; }}".split())
    yield
    n3.run(["nft", "delete", "table", "ip", "q"])


def crash(watched: Watched) -> Iterator[None]:
    """A node is lost that is strictly fenced: that takes three seconds."""
    lab = watched.lab
    apply(lab, [topology(fencing="Strict")])
    wait_until(lambda: are_strict(lab), "every node is strictly fenced")
    lab.machines["n3"].crash()
    moved(watched.fleet)
    yield
    apply(lab, [topology(fencing="Segment")])
    lab.machines["n3"].power_on()
    watched.start_agent("n3")


def are_strict(lab: Lab) -> bool:
    return all("eth1" in item["status"].get("strict", ()) for item in plumbings(lab).values())


def no_operator(watched: Watched) -> Iterator[None]:
    """All replicas are gone, and nobody can be asked."""
    for operator in watched.fleet.operators.values():
        operator.kill()
    yield
    for machine in OPERATORS:
        watched.start_operator(machine)


def broken(watched: Watched) -> Iterator[None]:
    """An object asks for an address of a node."""
    with objects(watched.lab, duravip("own", control_address(1))):
        yield


def no_topology(watched: Watched) -> Iterator[None]:
    """An address is in no block."""
    with objects(watched.lab, duravip("far", "192.0.2.1")):
        yield


def small_pool(watched: Watched) -> Iterator[None]:
    """A Service has the only address of its pool."""
    pool = address_pool("shops", "10.1.1.40-10.1.1.40")
    with objects(watched.lab, pool, service("shop")):
        yield


@dataclass(frozen=True)
class Fault:
    """What happens, and which alerts must fire."""

    happens: Callable[[Watched], Iterator[None]]
    """It begins before it yields, and is mended after that."""
    alerts: tuple[str, ...]
    also: tuple[str, ...] = ()
    """What is right as well, if it lasts until then."""

    @contextmanager
    def under_way(self, watched: Watched) -> Iterator[None]:
        """Mended even if its alert has not fired."""
        steps = self.happens(watched)
        next(steps)
        try:
            yield
        finally:
            next(steps, None)


AGENT: Final = f"{control_address(3)}:9481"
AWAY: Final = ("NodeSilent n3", "PreferenceNotMet")
FAULTS: Final = [
    Fault(broken, ("AddressBroken",)),
    Fault(no_topology, ("AddressUnowned",)),
    Fault(small_pool, ("PoolExhausted",)),
    Fault(stranger, ("ForeignClaim",)),
    Fault(drained, ("PreferenceNotMet",)),
    Fault(isolated, ("NoWitness",)),
    Fault(two_owners, ("TwoOwners",), AWAY),
    Fault(crash, ("NodeSilent n3", "FailoverSlow"), AWAY),
    Fault(frozen, (f"FenceLapse {AGENT}",), AWAY),
    Fault(no_fence, (f"Unfenced {AGENT}", f"FenceLapse {AGENT}"), AWAY),
    Fault(cut_path, ("NodeSilent n3", f"HeartbeatsLost {AGENT}")),
    Fault(no_operator, ("NoLeader",)),
]


def test_without_a_usable_certificate_the_webhook_is_missed(watched: Watched) -> None:
    wait_until(watched.prometheus.is_scraping, "every program is scraped")
    home(watched.fleet)
    firing = watched.prometheus.firing
    wait_until(lambda: brief(firing()) == {"WebhookMissing"}, "it alone fires", 60)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.happens.__name__)
def test_an_alert_fires_on_its_fault_and_ends_with_it(certified: Watched, fault: Fault) -> None:
    prometheus = certified.prometheus
    certified.until_quiet()
    began = time.time()
    with fault.under_way(certified):
        fires = f"{', '.join(fault.alerts)} fires"
        wait_until(lambda: {*fault.alerts} <= prometheus.firing(), fires, 60)
        fired = brief(prometheus.fired(began) | prometheus.firing())
        assert brief(fault.alerts) <= fired <= brief(fault.alerts) | {*fault.also}
    certified.until_quiet()


@pytest.mark.timeout(900)
def test_at_rest_no_alert_fires(certified: Watched) -> None:
    certified.until_quiet()
    began = time.time()
    time.sleep(QUIET_FOR)
    assert not brief(certified.prometheus.fired(began))


def test_every_query_of_the_dashboard_has_drawn_something(certified: Watched) -> None:
    queries = [target["expr"] for panel in DASHBOARD for target in panel["targets"]]
    history = certified.prometheus.history
    asked = {query: history(query.replace("$__rate_interval", "5s")) for query in queries}
    assert [query for query, series in asked.items() if not series] == []
