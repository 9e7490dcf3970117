"""The status that the agent writes."""

from dataclasses import replace

from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_status import (
    MAX_FAILURES,
    ConditionState,
    StatusReport,
    build_status,
    nics,
)
from duravip_api.nodeplumbing import NodePlumbingStatus
from duravip_api.reasons import Reason

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
ETH0 = Link(2, "eth0", "02:00:00:00:00:01", 1500, is_up=True, has_carrier=True, speed_mbps=1000)
OWN = IfAddress(2, "10.1.0.11", 16, is_marked=False)
READY = ConditionState(Reason.AGENT_READY, NOW)
REPORT = StatusReport(
    version="1.0",
    boot="b1",
    public_key="k1",
    readiness=READY,
    observed=KernelState(
        (ETH0,),
        (
            OWN,
            IfAddress(2, "10.1.1.10", 32, is_marked=True),
            IfAddress(2, "10.1.1.9", 32, is_marked=True),
        ),
    ),
    generation=3,
    epoch=2,
    served=frozenset({"10.1.1.10", "10.1.1.9"}),
)


def test_the_status_says_what_is_served_in_order_and_what_the_nics_are() -> None:
    status = build_status(REPORT)
    assert status["served"] == ["10.1.1.9", "10.1.1.10"]
    assert status["servedCount"] == 2
    assert (status["observedGeneration"], status["epoch"]) == (3, 2)
    assert status["agent"] == {"version": "1.0", "boot": "b1", "publicKey": "k1"}
    assert status["nicNames"] == "eth0"
    assert status["nics"] == [{
        "name": "eth0", "index": 2, "mac": "02:00:00:00:00:01", "mtu": 1500, "up": True,
        "carrier": True, "speedMbps": 1000, "addresses": ["10.1.0.11/16"],
    }]  # fmt: skip


def test_before_anything_was_acted_on_the_generation_is_removed_and_the_epoch_left() -> None:
    status = build_status(replace(REPORT, generation=None, epoch=None))
    assert status["observedGeneration"] is None
    assert "epoch" not in status


def test_the_status_has_the_form_of_its_kind() -> None:
    failures = {f"10.9.{n // 256}.{n % 256}": "x" * 5000 for n in range(MAX_FAILURES + 9)}
    status = build_status(replace(REPORT, failures=failures))
    assert len(NodePlumbingStatus.model_validate(status).failures) == MAX_FAILURES


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    starting = ConditionState(Reason.AGENT_STARTING, NOW)
    ready = starting.changed_to(Reason.AGENT_READY, LATER)
    assert (starting.status, ready.status, ready.since) == ("False", "True", LATER)
    refused = starting.changed_to(Reason.SPEC_REFUSED, LATER, "epoch 2 is lower")
    assert (refused.since, refused.message) == (NOW, "epoch 2 is lower")


def names(
    *links: Link, aliases: tuple[IfAddress, ...] = (), wanted: tuple[str, ...] = ()
) -> list[str]:
    return [nic.name for nic in nics(KernelState(links, aliases), wanted)]


def test_loopback_and_ports_of_bridges_are_left_out() -> None:
    lo = Link(1, "lo", is_loopback=True)
    port = Link(3, "eth1", is_port=True)
    assert names(lo, ETH0, port) == ["eth0"]


def test_the_ends_of_pods_cables_are_left_out() -> None:
    pod = Link(7, "cali1", kind="veth")
    host_route = IfAddress(7, "169.254.1.1", 32, is_marked=False)
    assert names(pod, aliases=(host_route,)) == []


def test_a_veth_that_is_the_nodes_own_nic_is_shown() -> None:
    nic = Link(2, "eth1", kind="veth")
    assert names(nic, aliases=(OWN,)) == ["eth1"]
    assert names(nic, wanted=("eth1",)) == ["eth1"]


def test_link_local_addresses_and_our_own_are_not_among_a_nics_addresses() -> None:
    aliases = (OWN, IfAddress(2, "fe80::1", 64, is_marked=False), *REPORT.observed.marked)
    (nic,) = nics(KernelState((ETH0,), aliases))
    assert nic.addresses == ["10.1.0.11/16"]
