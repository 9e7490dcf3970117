"""docs/examples/workloads, applied as they are, with kube-proxy in both of its modes."""

import json
import time
from ipaddress import ip_address

import pytest

from e2e.example import HOME
from lab import charts
from lab.cluster import Lab
from lab.demo_local import WORKLOADS
from lab.fleet import wait_until
from lab.layout import mac
from lab.machines import Machine
from lab.requests import Requests

POOL = ("10.1.1.40", "10.1.1.49")
SHARED, LOCAL, HOSTS, INSIDE = "10.1.1.21", "10.1.1.22", "10.1.1.20", "10.2.1.1"
CLIENT_ADDRESS = "10.1.0.100"
SOURCE = "10.1.1.24"
ELSEWHERE = (
    "bound: [Errno 99] Cannot assign requested address; "
    "with IP_FREEBIND: [Errno 101] Network is unreachable"
)
NODE_PORT = 30080
ASKED_TWICE = 2
"""Once with IP_FREEBIND."""
ASKED = 12
"""Requests that surely reach two pods of three."""
PATIENCE = 90
SILENT = 0.5 + 1.0
"""The chart's `agent.deadManAfter`, and what a busy machine may add."""
FROZEN = "pgrep -f '[d]uravip_agent' | xargs kill -{}"


@pytest.fixture(scope="module")
def running(cluster: Lab) -> Lab:
    """All examples applied and answering."""
    charts.ensure(cluster)
    for file in sorted(WORKLOADS.glob("*.yaml")):
        cluster.kubectl("apply", "-f", str(file))
    for pods in ("deployment/front", "deployment/shop", "daemonset/web", "daemonset/sender"):
        cluster.kubectl("rollout", "status", pods, f"--timeout={PATIENCE}s", timeout=PATIENCE + 5)
    for url in (f"http://{SHARED}/", f"http://{LOCAL}/", f"http://{HOSTS}:8080/"):
        wait_until(lambda u=url: fetch(cluster.client, u) != "", f"{url} answers", PATIENCE)
    return cluster


def fetch(machine: Machine, url: str) -> str:
    """The answer to a request from there; empty: none."""
    return machine.attempt(["curl", "-sfm2", url]).stdout.strip()


def owner(lab: Lab, name: str) -> str:
    """Who serves a DuraVIP or Binding."""
    items = json.loads(lab.kubectl("get", "vips", "-o=json"))["items"]
    statuses = [item["status"] for item in items if item["metadata"]["name"] == name]
    return str(statuses[0].get("owner", "")) if statuses else ""


def prefer(lab: Lab, name: str, node: str | None) -> None:
    """Let a DuraVIP be where it stays: balancing moves what has no preference."""
    patch = json.dumps({"spec": {"preference": node}})
    lab.kubectl("patch", "dvip", name, "--type=merge", f"--patch={patch}")
    if node:
        wait_until(lambda: owner(lab, name) == node, f"{node} has it", PATIENCE)


def test_a_service_is_reached_by_its_external_address_from_everywhere(running: Lab) -> None:
    url = f"http://{SHARED}/"
    answers = {fetch(running.client, url).split()[0] for _ in range(ASKED)}
    assert len(answers) > 1, "kube-proxy spreads them over the pods"
    assert all(fetch(node, url) for node in running.nodes)
    ask = f"import urllib.request as r; print(r.urlopen('{url}', timeout=2).read().decode())"
    inside = ("exec", "deployment/shop", "--", "python3", "-c", ask)
    assert " sees " in running.kubectl(*inside)


def test_a_local_service_shows_its_pod_the_client(running: Lab) -> None:
    assert fetch(running.client, f"http://{LOCAL}/") == (
        f"{owner(running, 'shop-local')} sees {CLIENT_ADDRESS}"
    )


def test_a_service_of_type_load_balancer_answers_at_an_address_of_its_pool(running: Lab) -> None:
    path = "-o=jsonpath={.status.loadBalancer.ingress[0].ip}"
    address = running.kubectl("get", "service", "front", path)
    assert ip_address(POOL[0]) <= ip_address(address) <= ip_address(POOL[1])
    assert fetch(running.client, f"http://{address}/") == (
        f"{owner(running, 'svc-front')} sees {CLIENT_ADDRESS}"
    )


def test_a_program_on_the_hosts_network_answers_at_the_address_of_its_node(running: Lab) -> None:
    assert fetch(running.client, f"http://{HOSTS}:8080/") == (
        f"{owner(running, 'web')} sees {CLIENT_ADDRESS}"
    )


def test_an_address_on_the_second_card_is_where_the_first_ones_is(running: Lab) -> None:
    def are_together() -> bool:
        return owner(running, "inside") == owner(running, "outside") != ""

    wait_until(are_together, "it follows", PATIENCE)
    running.client.run(["ping", "-c1", "-W2", INSIDE])
    neighbour = running.client.run(["ip", "neigh", "show", INSIDE, "dev", "eth2"])
    assert mac(owner(running, "outside"), "eth2") in neighbour


def test_a_program_sends_from_the_address_on_its_owner_and_nowhere_else(running: Lab) -> None:
    def said() -> dict[str, str]:
        """What the sender on each node has said last."""
        where = "{range .items[*]}{.metadata.name} {.spec.nodeName} {end}"
        words = running.kubectl("get", "pods", "-l=app=sender", f"-o=jsonpath={where}").split()
        pods = zip(words[::2], words[1::2], strict=True)
        return {node: running.kubectl("logs", pod, "--tail=1").strip() for pod, node in pods}

    def are_right() -> bool:
        here, lines = owner(running, "outbound"), said()
        others = [line for node, line in lines.items() if node != here]
        return lines.get(here, "").count(f" sees {SOURCE}") == ASKED_TWICE and all(
            line.endswith(ELSEWHERE) for line in others
        )

    wait_until(are_right, "only the owner sends", PATIENCE)
    print(*said().items(), sep="\n")


def test_a_node_port_is_refused_at_the_address_in_nftables_mode(running: Lab) -> None:
    spec = {
        "type": "NodePort",
        "selector": {"app": "shop"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": NODE_PORT}],
    }
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "node-port"}}
    running.kubectl("apply", "-f", "-", input=json.dumps({**service, "spec": spec}))
    if running.proxy == "iptables":
        at_address = f"http://{SHARED}:{NODE_PORT}/"
        wait_until(lambda: fetch(running.client, at_address) != "", "it answers", PATIENCE)
    else:
        own = f"http://10.77.0.11:{NODE_PORT}/"
        wait_until(lambda: fetch(running.nodes[1], own) != "", "it answers", PATIENCE)
        assert fetch(running.client, f"http://{SHARED}:{NODE_PORT}/") == ""


@pytest.mark.parametrize(("name", "address"), [("shop", SHARED), ("shop-local", LOCAL)])
def test_a_node_whose_agent_is_frozen_translates_nothing_more(
    running: Lab, name: str, address: str
) -> None:
    former, url = HOME, f"http://{address}/"
    prefer(running, name, former)
    stale = ("ip", "neigh", "replace", address, "dev", "eth1", "lladdr", mac(former, "eth1"))
    with running.observe([address]) as seen:
        running.client.run([*stale, "nud", "permanent"])  # it goes on asking the former owner
        wait_until(lambda: fetch(running.client, url) != "", f"{url} answers", PATIENCE)
        with Requests(running.client, url, every=0.02, timeout=0.5) as requests:
            time.sleep(1)
            running.machines[former].run(["sh", "-c", FROZEN.format("STOP")])
            frozen = time.monotonic()
            wait_until(lambda: owner(running, name) not in {"", former}, "another one has it")
            time.sleep(1)
        running.client.run(["ip", "neigh", "del", address, "dev", "eth1"])
        running.machines[former].run(["sh", "-c", FROZEN.format("CONT")])
        wait_until(lambda: owner(running, name) == former, "it is back", PATIENCE)
    prefer(running, name, None)
    answered = [request for request in requests.made if request.answer]
    assert [request for request in answered if request.began < frozen]
    last = max(request.began for request in answered) - frozen
    print(f"{running.proxy}: silent after {last:.2f} s, {seen.sight.gap(address):.2f} s without")
    assert last < SILENT
    assert seen.sight.double_owners == 0
