"""Tokens in files end, and others take their place: nobody notices, until there is no new one."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest
import yaml

from api.objects import apply, duravip, topology
from lab.cluster import Lab
from lab.fleet import NAMESPACE, Fleet, wait_until
from lab.processes import Process
from lab.tokens import REMEMBERED, token

LAB = "tokens"
LASTS: Final = 12.0
RENEWED_EVERY: Final = 4.0
A_MINUTE, SLACK = 60.0, 30.0
PATIENCE: Final = LASTS + REMEMBERED + A_MINUTE + SLACK
KEPT, MOVED = "10.1.1.1", "10.1.1.3"
SENTENCE: Final = "the API server has not known us for 60 s (401)"


class Tokens:
    """A file with a token that is always a new one, as long as it is renewed."""

    def __init__(self, lab: Lab, name: str, folder: Path) -> None:
        lab.kubectl("create", "serviceaccount", name, f"-n{NAMESPACE}")
        role = ("--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:{name}")
        lab.kubectl("create", "clusterrolebinding", name, *role)
        found = json.loads(lab.kubectl("get", "serviceaccount", name, f"-n{NAMESPACE}", "-ojson"))
        self._account = (NAMESPACE, name, found["metadata"]["uid"])
        self._key = next(lab.layout.home.rglob("sa.key"))
        self._file = folder / f"{name}.token"
        kubeconfig = folder / f"{name}.kubeconfig"
        content = yaml.safe_load(lab.inside_kubeconfig.read_text())
        content["users"][0]["user"] = {"tokenFile": str(self._file)}
        kubeconfig.write_text(yaml.safe_dump(content))
        self.option = f"--kubeconfig={kubeconfig}"
        self.begin()

    def begin(self) -> None:
        """Renew it from now on."""
        self._stopping = Event()
        self._renew()
        Thread(target=self._run, args=(self._stopping,), daemon=True).start()

    def end(self) -> None:
        """Renew it no more."""
        self._stopping.set()

    def _run(self, stopping: Event) -> None:
        while not stopping.wait(RENEWED_EVERY):
            self._renew()

    def _renew(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(token(self._key, self._account, LASTS))
        new.replace(self._file)


class Cluster:
    """An operator on n1, and three agents, of which that of n3 has a token of its own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.fleet = lab, Fleet(lab)
        self.all, self.own = Tokens(lab, "all", folder), Tokens(lab, "own", folder)
        self.start_operator()
        for node, tokens in (("n1", self.all), ("n2", self.all), ("n3", self.own)):
            self.fleet.start_agent(node, tokens.option)
        apply(lab, [topology()])
        apply(lab, [duravip("kept", KEPT, preference="n1")])
        apply(lab, [duravip("moved", MOVED, preference="n3")])
        self.wait_owners({KEPT: "n1", MOVED: "n3"})

    def start_operator(self) -> Process:
        return self.fleet.start_operator("n1", self.all.option)

    def wait_owners(self, owners: dict[str, str]) -> None:
        wait_until(lambda: self.fleet.owners() == owners, f"they are owned so: {owners}")

    def epoch(self) -> str:
        lease = ("lease", "duravip-operator", f"-n{NAMESPACE}")
        return self.lab.kubectl("get", *lease, "-ojsonpath={.spec.leaseTransitions}")

    def http(self, node: str, path: str) -> str:
        url = f"http://127.0.0.1:9481{path}"
        return self.lab.machines[node].run(["curl", "-s", url])


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(lab, tmp_path)
    yield made
    made.all.end()
    made.own.end()


def test_what_is_renewed_is_read_again_and_without_a_new_token_no_address_is_lost(
    lab: Lab, cluster: Cluster
) -> None:
    fleet, epoch = cluster.fleet, cluster.epoch()

    cluster.own.end()
    assert fleet.agents["n3"].wait(PATIENCE) == 2
    assert SENTENCE in fleet.agents["n3"].output()
    cluster.wait_owners({KEPT: "n1", MOVED: "n2"})
    assert cluster.epoch() == epoch, "the operator has lost the Lease meanwhile"
    assert all(fleet.agents[node].is_running for node in ("n1", "n2"))

    cluster.all.end()
    assert fleet.operators["n1"].wait(PATIENCE) == 2
    assert SENTENCE in fleet.operators["n1"].output()
    for node in ("n1", "n2"):
        agent = fleet.agents[node]
        wait_until(lambda: "what is held stays" in agent.output(), f"{node} says so")  # noqa: B023
        assert SENTENCE in cluster.http(node, "/readyz")
        assert "duravip_agent_denied 1.0" in cluster.http(node, "/metrics")
    assert lab.who_answers([KEPT, MOVED]) == {KEPT: "n1", MOVED: "n2"}

    cluster.all.begin()
    cluster.start_operator()
    fleet.start_agent("n3", cluster.all.option)
    cluster.wait_owners({KEPT: "n1", MOVED: "n3"})
    assert cluster.http("n1", "/readyz").strip() == "ok"
    assert all(fleet.agents[node].is_running for node in ("n1", "n2"))
