"""The owner is a node where the program works: what a client sees while programs come and go."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import pytest
import yaml
from kubernetes.client import DiscoveryV1Api

from e2e.test_workloads import fetch, owner
from lab import charts
from lab.cluster import Lab
from lab.demo_local import WORKLOADS
from lab.fleet import wait_until
from lab.requests import Request, Requests, longest_gap
from scenarios.endpoint_slices import slice_of

HOSTS, LOCAL = "10.1.1.20", "10.1.1.22"
WEB: Final = f"http://{HOSTS}:8080/"
PREFERRED: Final = "n1"
STARTS_AFTER: Final = 15
"""Seconds that the server of the preferred node takes to listen."""
STARTS_FOR: Final = 4
"""Seconds until a new pod may be ready: longer than a flapping Service is borne with."""
CLIENT_WAITS: Final = 5.0
"""As clients do at least: a first packet that is lost in a move is sent again after a second."""
UNDER_WAY: Final = 5
"""Requests that may wait for their answer when an address moves; on a quiet machine none does."""
PATIENCE = 90
BUSY: Final = 4.0
"""Seconds that a busy machine may add."""
DAMPED: Final = 6.0
"""Seconds: after a move for readiness the next one would wait for a while."""
SERVICE: Final = "by-hand"
STEPS: Final = {
    "found": r".* no more: \['",
    "revoked": r"node {former}: granted \d+, taken out [1-9]",
    "granted": r"node {taker}: granted [1-9]",
    "announced": r"announced ",
}
"""What the programs log between a failure and the answers from elsewhere."""
ON_ITS_NODE: Final = "pgrep -f '[T]hreadingHTTPServer' | xargs -r kill -9"


@pytest.fixture(scope="module")
def running(lab: Lab) -> Iterator[Lab]:
    """The chart, and the examples of programs behind an address."""
    charts.ensure(lab)
    for name in ("daemonset", "service"):
        lab.kubectl("apply", "-f", str(WORKLOADS / f"{name}.yaml"))
    yield lab
    lab.kubectl("delete", "--ignore-not-found", "endpointslice", f"{SERVICE}-1")
    for name in ("daemonset", "service"):
        lab.kubectl("delete", "--ignore-not-found", "-f", str(WORKLOADS / f"{name}.yaml"))


def set_up(lab: Lab, **readiness: Any) -> None:
    """Give the DaemonSet's address this readiness, and wait until it answers."""
    none = dict.fromkeys(("endpointsOf", "policy", "listening", "check"))
    patch = {"spec": {"readiness": none | readiness, "preference": None}}
    lab.kubectl("patch", "dvip", "web", "--type=merge", f"--patch={json.dumps(patch)}")
    lab.kubectl("rollout", "status", "daemonset/web", f"--timeout={PATIENCE}s", timeout=95)
    wait_until(lambda: fetch(lab.client, WEB) != "", "it answers", PATIENCE)
    fit = ("get", "dvip", "web", "-o=jsonpath={.status.participants}")
    wait_until(lambda: lab.kubectl(*fit) == str(len(lab.nodes)), "all nodes are fit", PATIENCE)
    time.sleep(DAMPED)


def kill(lab: Lab, former: str) -> float:
    """Kill the owner's program; gives the moment just before."""
    began = time.monotonic()
    lab.machines[former].run(["sh", "-c", ON_ITS_NODE])
    return began


def write_endpoints(lab: Lab, former: str = "") -> float:
    """Let all nodes but this one have an endpoint; gives the moment just before."""
    body = slice_of(SERVICE, {n.name: "ready" for n in lab.nodes if n.name != former})
    if not former:
        lab.kubectl("apply", "-f", "-", input=json.dumps(body))
    slices, key = DiscoveryV1Api(lab.api()), (f"{SERVICE}-1", "default")
    slices.read_namespaced_endpoint_slice(*key)  # the connection is there
    began = time.monotonic()
    slices.patch_namespaced_endpoint_slice(*key, body)
    return began


def steps(lab: Lab, began: float, former: str, taker: str) -> str:
    """When the programs did what, in seconds after this moment, as their logs say."""
    event = began + time.time() - time.monotonic()
    asked = ("logs", "-l=app.kubernetes.io/name=duravip", f"-n={charts.NAMESPACE}", "--since=20s")
    log = lab.kubectl(*asked, "--tail=-1", "--max-log-requests=20")
    told = sorted(
        (datetime.fromisoformat(line["time"]).timestamp() - event, line["message"])
        for line in map(json.loads, filter(lambda text: text.startswith("{"), log.splitlines()))
    )
    found = {
        step: next((f"{at:.2f}" for at, text in told if at >= 0 and re.match(pattern, text)), "?")
        for step, pattern in (
            (step, text.format(former=former, taker=taker)) for step, text in STEPS.items()
        )
    }
    return ", ".join(f"{step} {at}" for step, at in found.items())


def spans(failed: tuple[Request, ...]) -> list[str]:
    """When requests failed, as `from-to (how many)`, in seconds since the first of them."""
    groups: list[list[float]] = []
    for request in failed:
        if groups and request.began - groups[-1][-1] < 0.1:
            groups[-1].append(request.began)
        else:
            groups.append([request.began])
    return [
        f"{g[0] - failed[0].began:.2f}-{g[-1] - failed[0].began:.2f} ({len(g)})" for g in groups
    ]


@pytest.mark.parametrize(
    ("readiness", "most", "happens"),
    [
        ({"listening": True}, 0.7, kill),
        (
            {"check": {"http": {"port": 8080, "path": "/"}, "interval": "200ms"}},
            3 * 0.2 + 0.2,
            kill,
        ),
        ({"endpointsOf": SERVICE}, 0.1, write_endpoints),
    ],
    ids=["listening", "check", "endpointsOf"],
)
def test_what_is_unfit_on_the_owner_is_answered_for_elsewhere(
    running: Lab,
    readiness: dict[str, Any],
    most: float,
    happens: Callable[[Lab, str], float],
) -> None:
    write_endpoints(running)
    set_up(running, **readiness)
    former = owner(running, "web")
    with Requests(running.client, WEB, every=0.01, timeout=0.3) as requests:
        time.sleep(1)
        began = happens(running, former)
        wait_until(lambda: owner(running, "web") not in {"", former}, "another one has it")
        time.sleep(1)
    taker = owner(running, "web")
    from_taker = (r.ended for r in requests.made if r.answer.startswith(f"{taker} "))
    took, gap = next(from_taker) - began, longest_gap(requests.made)
    print(f"{next(iter(readiness))}: {took:.2f} s until answered elsewhere ({most:.1f} expected)")
    print(f"  {gap:.2f} s without any answer; {steps(running, began, former, taker)}")
    assert took < most + BUSY, steps(running, began, former, taker)


def test_a_preferred_node_that_is_switched_on_takes_nothing_before_its_server_listens(
    running: Lab,
) -> None:
    daemonset = next(
        item
        for item in yaml.safe_load_all((WORKLOADS / "daemonset.yaml").read_text())
        if item["kind"] == "DaemonSet"
    )
    (container,) = daemonset["spec"]["template"]["spec"]["containers"]
    waits = f"import os, time; time.sleep({STARTS_AFTER} * (os.environ['NODE'] == {PREFERRED!r}))"
    container["args"][0] = f"{waits}\n{container['args'][0]}"
    patch = {"spec": daemonset["spec"]}
    running.kubectl("patch", "daemonset", "web", "--type=merge", f"--patch={json.dumps(patch)}")
    set_up(running, listening=True)
    prefer = json.dumps({"spec": {"preference": PREFERRED}})
    running.kubectl("patch", "dvip", "web", "--type=merge", f"--patch={prefer}")
    wait_until(lambda: owner(running, "web") == PREFERRED, "it is there", PATIENCE)
    running.machines[PREFERRED].crash()
    wait_until(lambda: owner(running, "web") not in {"", PREFERRED}, "another one has it")
    with Requests(running.client, WEB, every=0.02, timeout=CLIENT_WAITS) as requests:
        began = time.monotonic()
        running.machines[PREFERRED].power_on()
        wait_until(lambda: owner(running, "web") == PREFERRED, "it is back", PATIENCE)
        took = time.monotonic() - began
        time.sleep(1)
    print(f"back after {took:.0f} s, {len(requests.failed)} of {len(requests.made)} failed")
    assert took > STARTS_AFTER
    assert len(requests.failed) <= UNDER_WAY, spans(requests.failed)


def test_a_rolling_update_of_the_pods_behind_an_address_fails_no_request(running: Lab) -> None:
    patch = json.dumps({"spec": {"readiness": {"endpointsOf": "shop-local"}}})
    running.kubectl("patch", "dvip", "shop-local", "--type=merge", f"--patch={patch}")
    # A new pod is ready so late that its node is unfit meanwhile: the address has to move.
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 1, "initialDelaySeconds": STARTS_FOR}
    waits = {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}, "readinessProbe": probe}
    graceful = {"name": "shop", **waits}
    template = {"spec": {"containers": [graceful]}}
    status = ("rollout", "status", "deployment/shop", f"--timeout={PATIENCE}s")
    for at_once in (3, 1):
        strategy = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": at_once}}
        spec = json.dumps({"spec": {"template": template, "strategy": strategy}})
        running.kubectl("patch", "deployment", "shop", f"--patch={spec}")
        running.kubectl(*status, timeout=PATIENCE + 5)
    url = f"http://{LOCAL}/"
    wait_until(lambda: fetch(running.client, url) != "", "it answers", PATIENCE)
    with Requests(running.client, url, every=0.005, timeout=CLIENT_WAITS) as requests:
        running.kubectl("rollout", "restart", "deployment/shop")
        running.kubectl(*status, timeout=PATIENCE + 5)
        time.sleep(3)
    owners = {request.answer.split()[0] for request in requests.made if request.answer}
    print(f"{len(requests.failed)} of {len(requests.made)} failed, answered from {owners}")
    assert len(owners) > 1, "it has moved"
    assert len(requests.failed) <= 10 * UNDER_WAY, spans(requests.failed)
