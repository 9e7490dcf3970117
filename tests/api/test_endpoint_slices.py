"""An address goes where its Service is ready: EndpointSlices of a real API server."""

import json
import time
from collections.abc import Iterator, Mapping

import pytest

from api.objects import Body, apply, delete_all, duravip, reason, status
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from scenarios.endpoint_slices import slice_of

LAB = "fleet"
NAMES = ("web", "relay")
SEEN = 5.0
"""Seconds from an EndpointSlice to the answer from elsewhere, with room for a busy machine."""


@pytest.fixture
def clean(lab: Lab, fleet: Fleet) -> Iterator[None]:
    """Nothing is left of what a test has written."""
    yield
    delete_all(lab)
    slices = [f"{name}-1" for name in NAMES]
    lab.kubectl("delete", "endpointslices", "--ignore-not-found", *slices)
    wait_until(lambda: not fleet.owners(), "all addresses are released")


def write(lab: Lab, service: str, states: Mapping[str, str]) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(slice_of(service, states)))


def web(**readiness: str) -> Body:
    return duravip("ready", "10.1.1.20", readiness={"endpointsOf": "web", **readiness})


@pytest.mark.usefixtures("clean")
def test_it_moves_as_soon_as_another_node_is_ready_alone(lab: Lab, fleet: Fleet) -> None:
    write(lab, "web", {"n2": "ready"})
    apply(lab, [web()])
    wait_until(lambda: fleet.owners() == {"10.1.1.20": "n2"}, "n2 owns it")
    with lab.observe(["10.1.1.20"]) as seen:
        for node in ("n3", "n1"):
            written = time.monotonic()
            write(lab, "web", {"n2": "serving", node: "ready"})
            wait_until(lambda n=node: fleet.owners() == {"10.1.1.20": n}, f"{node} owns it")
            print(f"from the EndpointSlice, kubectl included: {time.monotonic() - written:.2f} s")
            assert time.monotonic() - written < SEEN + 5
            time.sleep(6)  # the next one shall not be damped
    assert seen.sight.worst_gap() < SEEN
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert status(lab, "duravip", "ready")["lastMove"]["reason"] == "Readiness"


@pytest.mark.usefixtures("clean")
def test_a_service_that_is_down_everywhere_moves_nothing_and_is_told(
    lab: Lab, fleet: Fleet
) -> None:
    write(lab, "web", {"n3": "ready"})
    apply(lab, [web()])
    wait_until(lambda: fleet.owners() == {"10.1.1.20": "n3"}, "n3 owns it")
    lab.kubectl("delete", "endpointslice", "web-1")
    wait_until(lambda: reason(lab, "duravip", "ready") == "NoFitNode", "it is told")
    conditions = {c["type"]: c for c in status(lab, "duravip", "ready")["conditions"]}
    assert conditions["Ready"]["status"] == "True"
    assert conditions["NoFitNode"]["reason"] == "ServiceUnknown"
    assert "Service web has no EndpointSlice" in conditions["NoFitNode"]["message"]
    assert fleet.owners() == {"10.1.1.20": "n3"}


@pytest.mark.usefixtures("clean")
def test_another_operator_knows_the_endpoints_before_it_decides(lab: Lab, fleet: Fleet) -> None:
    write(lab, "web", {"n2": "ready"})
    apply(lab, [web()])
    wait_until(lambda: fleet.owners() == {"10.1.1.20": "n2"}, "n2 owns it")
    leader = fleet.leader()
    fleet.operators[leader].kill()
    wait_until(lambda: fleet.leader() not in {"", leader}, "the other operator leads")
    apply(lab, [duravip("relay", "10.1.1.21", readiness={"endpointsOf": "relay"})])
    write(lab, "relay", {"n3": "ready"})
    wanted = {"10.1.1.20": "n2", "10.1.1.21": "n3"}
    wait_until(lambda: fleet.owners() == wanted, f"owners are {wanted}")
    fleet.start_operator(leader)
