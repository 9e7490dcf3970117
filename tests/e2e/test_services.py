"""Services of type LoadBalancer as clients see them, with kube-proxy in both of its modes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.example import Example
from e2e.test_readiness import spans
from e2e.test_workloads import CLIENT_ADDRESS, fetch, owner
from lab import charts
from lab.cluster import PROXIES, Lab
from lab.demo_local import WORKLOADS
from lab.fleet import wait_until
from lab.requests import Requests, longest_gap

PATIENCE: Final = 120
SHARED, LOCAL = "10.1.1.31", "10.1.1.32"
POOL: Final = {"ranges": ["10.1.1.31-10.1.1.39"]}
FAILS_FOR: Final = 10.0
"""Seconds from a power loss to the last failure, or without an answer; with room for a busy
machine."""
BOTH_FAMILIES: Final = Path(__file__).with_name("both-families.yaml")
FAMILIES: Final = ("IPv4", "IPv6")
CLIENT_ADDRESS6: Final = "fd00:1::100"
CROWD: Final = [f"10.1.1.{n}" for n in range(100, 200)]
IN_ONE_MODE: Final = pytest.mark.parametrize("cluster", PROXIES[:1], indirect=True, scope="module")
"""For what kube-proxy has no part in."""
ASK: Final = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read())"
KILL_AGENT: Final = "pgrep -f '[d]uravip_agent' | xargs kill -KILL"


@pytest.fixture(scope="module")
def running(cluster: Lab) -> Iterator[Lab]:
    """The chart, three pods, a pool, and two Services: one for all nodes, one for local pods."""
    charts.ensure(cluster)
    cluster.kubectl("apply", "-f", str(WORKLOADS / "service.yaml"))
    wait_for_pods(cluster)
    pool = {"apiVersion": "duravip.io/v1alpha1", "kind": "AddressPool", "spec": POOL}
    apply(cluster, {**pool, "metadata": {"name": "shops"}})
    apply(cluster, service("shared", SHARED))
    apply(cluster, service("local", LOCAL, externalTrafficPolicy="Local"))
    for address in (SHARED, LOCAL):
        answers(cluster, address)
    yield cluster
    cluster.kubectl("delete", "service", "shared", "local", "--ignore-not-found")
    cluster.kubectl("delete", "addresspool", "shops")
    cluster.kubectl("delete", "-f", str(WORKLOADS / "service.yaml"))


def service(
    name: str,
    address: str = "",
    preference: str = "",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    asked = {"duravip.io/addresses": address} if address else {}
    asked |= {"duravip.io/preference": preference} if preference else {}
    usual = {
        "type": "LoadBalancer",
        "loadBalancerClass": "duravip.io/vip",
        "allocateLoadBalancerNodePorts": False,
        "selector": {"app": "shop"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    }
    meta = {"name": name, "annotations": asked, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": usual | spec}


def apply(lab: Lab, *bodies: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": bodies}
    lab.kubectl("apply", "-f", "-", input=json.dumps(items))


def answers(lab: Lab, address: str) -> float:
    url = f"http://{address}/"
    return wait_until(lambda: fetch(lab.client, url) != "", f"{url} answers", PATIENCE)


def get(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.kubectl("get", "service", name, "-o=json"))
    return found


def reason(lab: Lab, name: str) -> str:
    """The reason of the Service's condition; empty: it has none."""
    conditions = get(lab, name)["status"].get("conditions", ())
    return next((c["reason"] for c in conditions if c["type"] == "duravip.io/Ready"), "")


def pods(lab: Lab) -> dict[str, str]:
    """The node of each running pod of the Services."""
    path = "-o=jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {end}"
    running = "--field-selector=status.phase=Running"
    words = lab.kubectl("get", "pods", "-l=app=shop", running, path).split()
    return dict(zip(words[::2], words[1::2], strict=True))


def wait_for_pods(lab: Lab) -> None:
    """Wait until all pods of the Services are ready."""
    status = ("rollout", "status", "deployment/shop", f"--timeout={PATIENCE}s")
    lab.kubectl(*status, timeout=PATIENCE + 10)


def every_pod_answers(lab: Lab) -> bool:
    """Whether so many requests are answered that one of them has reached each pod."""
    return all(fetch(lab.client, f"http://{SHARED}/") for _ in range(12))


def owners(lab: Lab) -> dict[str, str]:
    """The owner of each DuraVIP's address."""
    items = json.loads(lab.kubectl("get", "dvip", "-o=json"))["items"]
    return {body["spec"]["address"]: body.get("status", {}).get("owner", "") for body in items}


def test_t1_an_address_is_given_and_answers(running: Lab) -> None:
    began = time.monotonic()
    apply(running, service("first"))
    path = ("get", "service", "first", "-o=jsonpath={.status.loadBalancer.ingress[0]}")
    wait_until(lambda: running.kubectl(*path) != "", "it has an ingress", PATIENCE)
    ingress = json.loads(running.kubectl(*path))
    answers(running, ingress["ip"])
    print(f"{running.proxy}: the first answer after {time.monotonic() - began:.2f} s")
    assert ingress["ipMode"] == "VIP"
    events = running.kubectl("get", "events", "--field-selector=involvedObject.name=first")
    assert "AddressAssigned" in events
    running.kubectl("delete", "service", "first")


def test_t2_local_shows_the_client_and_stays_with_the_pods(running: Lab) -> None:
    where = owner(running, "svc-local")
    assert where in pods(running).values()
    assert fetch(running.client, f"http://{LOCAL}/") == f"{where} sees {CLIENT_ADDRESS}"
    (port,) = get(running, "local")["spec"]["ports"]
    assert "nodePort" not in port


@IN_ONE_MODE
def test_t13_a_service_answers_at_an_address_of_each_family(running: Lab) -> None:
    running.kubectl("apply", "-f", str(BOTH_FAMILIES))
    path = "-o=jsonpath={.status.loadBalancer.ingress[*].ip}"

    def ingress() -> list[str]:
        return running.kubectl("get", "service", "both", path).split()

    wait_until(lambda: len(ingress()) == len(FAMILIES), "it has two addresses", PATIENCE)
    four, six = ingress()
    answers(running, four)
    answers(running, f"[{six}]")
    sees = f"{owner(running, 'svc-both-v6')} sees {CLIENT_ADDRESS6}"
    assert fetch(running.client, f"http://[{six}]/") == sees
    running.kubectl("delete", "-f", str(BOTH_FAMILIES))


def test_t14_pods_and_nodes_reach_the_address_too(running: Lab) -> None:
    for url in (f"http://{SHARED}/", f"http://{LOCAL}/"):
        for pod in pods(running):
            asked = ("exec", pod, "--", "python3", "-c", ASK, url)
            assert " sees " in running.kubectl(*asked), pod
        for node in running.nodes:
            assert " sees " in fetch(node, url), node.name


def test_t16_only_the_ports_of_the_service_are_open(running: Lab) -> None:
    knock = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
    done = running.client.attempt(["python3", "-c", knock, SHARED, "10250"])
    assert done.returncode != 0
    assert running.client.attempt(["ping", "-c1", "-W2", SHARED]).returncode == 0
    assert fetch(running.client, f"http://{SHARED}/") != ""


def test_t5_the_only_local_pod_goes_while_another_node_is_ready(running: Lab) -> None:
    former = owner(running, "svc-local")
    with Requests(running.client, f"http://{LOCAL}/", every=0.02, timeout=2) as requests:
        time.sleep(1)
        running.kubectl("cordon", former)
        here = f"--field-selector=spec.nodeName={former}"
        running.kubectl("delete", "pods", "-l=app=shop", here, "--wait=false")
        wait_until(lambda: owner(running, "svc-local") not in {"", former}, "it moved", PATIENCE)
        time.sleep(3)
    running.kubectl("uncordon", former)
    gap = longest_gap(requests.made)
    print(f"{running.proxy}: {len(requests.failed)} of {len(requests.made)} failed, gap {gap:.2f}")
    assert gap < FAILS_FOR, spans(requests.failed)


@pytest.mark.parametrize(
    ("cluster", "crowd"),
    [(PROXIES[0], CROWD), (PROXIES[1], [])],
    indirect=["cluster"],
    ids=PROXIES,
    scope="module",
)
def test_t3_t4_power_loss_of_the_owner(running: Lab, crowd: list[str]) -> None:
    """Where pods are local none of the requests fails once there is an owner again."""
    wait_for_pods(running)
    former = owner(running, "svc-local")
    apply(running, service("shared", SHARED, former))
    many = {"labels": {"crowd": "100"}, "externalTrafficPolicy": "Local"}
    if crowd:
        apply(running, *(service(f"s{n}", address, **many) for n, address in enumerate(crowd)))
    wait_until(lambda: owner(running, "svc-shared") == former, "both are there", PATIENCE)
    wait_until(lambda: all(map(owners(running).get, crowd)), "all are served", PATIENCE)
    leader = Example(running).leader_node()
    held = list(owners(running).values()).count(former)
    print(f"{former} has {held} addresses; the operator's leader is on {leader}")
    alone, among_all = (
        Requests(running.client, f"http://{address}/", every=0.02, timeout=2)
        for address in (LOCAL, SHARED)
    )
    with running.observe([LOCAL, SHARED, *crowd]) as seen, alone, among_all:
        time.sleep(1)
        crashed = running.machines[former].crash()
        wait_until(lambda: former not in owners(running).values(), "all have moved", PATIENCE)
        missed = ("wait", f"node/{former}", "--for=condition=Ready=Unknown", "--timeout=60s")
        running.kubectl(*missed, timeout=70)
        not_ready = time.monotonic()
        wait_until(lambda: every_pod_answers(running), "the dead pods are left out", PATIENCE)
    running.machines[former].power_on()
    last = max((r.began for r in alone.failed), default=crashed) - crashed
    gap = seen.sight.worst_gap(crashed)
    print(f"{running.proxy}: {2 + len(crowd)} addresses, the last one back after {gap:.2f} s")
    print(f"Local: the last failure {last:.2f} s after the crash", spans(alone.failed))
    until = [r for r in among_all.made if crashed + gap < r.began < not_ready]
    lost = len([r for r in until if not r.answer])
    print(f"Cluster: {lost} of {len(until)} failed from then on until {former} was NotReady")
    assert last < FAILS_FOR, spans(alone.failed)
    assert gap < FAILS_FOR
    assert seen.sight.double_owners == 0
    assert any(r.answer for r in until)
    apply(running, service("shared", SHARED))
    running.kubectl("delete", "services", "-l=crowd", "--wait=false")
    nodes = ("wait", "node", "--for=condition=Ready", "--all", f"--timeout={PATIENCE}s")
    running.kubectl(*nodes, timeout=PATIENCE + 10)
    wait_for_pods(running)


@IN_ONE_MODE
def test_t7_the_last_ready_pod_goes_and_the_address_stays(running: Lab) -> None:
    running.kubectl("scale", "deployment/shop", "--replicas=0")
    wait_until(lambda: reason(running, "local") == "NoFitNode", "it is told", PATIENCE)
    assert get(running, "local")["status"]["loadBalancer"]["ingress"][0]["ip"] == LOCAL
    assert owner(running, "svc-local") != ""
    assert running.client.attempt(["ping", "-c1", "-W2", LOCAL]).returncode == 0
    running.kubectl("scale", "deployment/shop", "--replicas=3")
    wait_for_pods(running)
    wait_until(lambda: reason(running, "local") == "Served", "so it is again", PATIENCE)


@IN_ONE_MODE
def test_t8_an_agent_that_is_killed_never_makes_two_answer(running: Lab) -> None:
    former = owner(running, "svc-local")
    path = "-o=jsonpath={.status.agent.boot}"
    boot = running.kubectl("get", "nodeplumbing", former, path)
    with running.observe([LOCAL]) as seen:
        time.sleep(1)
        running.machines[former].run(["sh", "-c", KILL_AGENT])

        def is_back() -> bool:
            return running.kubectl("get", "nodeplumbing", former, path) not in {"", boot}

        wait_until(is_back, "the kubelet has started another one", PATIENCE)
        answers(running, LOCAL)
        time.sleep(1)
    print(f"without for {seen.sight.gap(LOCAL):.2f} s")
    assert seen.sight.double_owners == 0


@IN_ONE_MODE
def test_t9_two_services_answer_at_one_address_each_at_its_port(running: Lab) -> None:
    address = "10.1.1.37"
    apply(
        running,
        service("web", address),
        service("admin", address, ports=[{"port": 81, "targetPort": 8080}]),
    )
    answers(running, address)
    answers(running, f"{address}:81")
    running.kubectl("delete", "service", "web")
    wait_until(lambda: fetch(running.client, f"http://{address}/") == "", "it is closed", PATIENCE)
    assert fetch(running.client, f"http://{address}:81/") != ""
    running.kubectl("delete", "service", "admin")


@IN_ONE_MODE
def test_t10_a_deleted_service_leaves_its_address_on_no_node(running: Lab) -> None:
    apply(running, service("short", "10.1.1.38"))
    answers(running, "10.1.1.38")
    running.kubectl("delete", "service", "short")

    def is_gone() -> bool:
        shown = [
            node.run(["ip", "-4", "-o", "addr", "show", "dev", "eth1"]) for node in running.nodes
        ]
        return not any("10.1.1.38/" in text for text in shown)

    print(f"gone after {wait_until(is_gone, 'no node has it', PATIENCE):.2f} s")
    assert "svc-short" not in running.kubectl("get", "dvip")
