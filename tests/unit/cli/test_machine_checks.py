"""`doctor` on a node: what it says of the kernel, nftables, ARP, kube-proxy, ports and clocks."""

import json
from dataclasses import replace

import pytest

from duravip_agent import __main__ as agent
from duravip_cli.__main__ import run
from duravip_cli.doctor import machine_checks
from duravip_cli.doctor.machine_checks import FenceState, MachineState
from duravip_cli.errors import CommandError, ExitCode
from unit.cli.memory import Memory

WELL = MachineState(
    kernel="6.1.0-13-amd64",
    interfaces=("eth0", "eth1"),
    settings={("all", "arp_announce"): 2, ("eth1", "arp_ignore"): 0, ("eth1", "rp_filter"): 2},
    fence=FenceState("nftables v1", "", is_present=True),
    own_interfaces=frozenset({"eth0", "eth1"}),
    operators=("10.0.0.1:7946",),
)

OTHER_CARD = frozenset({"eth0"})


def _said(found: MachineState) -> dict[str, str]:
    """`{check: verdict and message}`."""
    findings = machine_checks.check_machine(found, ("eth1", "eth9"))
    return {finding.check: f"{finding.verdict} {finding.message}" for finding in findings}


def _with(interface: str, setting: str, value: int) -> MachineState:
    return replace(WELL, settings={**WELL.settings, (interface, setting): value})


def test_a_node_that_is_well_gets_only_ok() -> None:
    said = _said(WELL)
    assert all(text.startswith("ok") for text in said.values()), said
    assert said["ARP"].endswith("on eth1")


@pytest.mark.parametrize(
    ("found", "check", "wanted"),
    [
        (replace(WELL, kernel="5.15.0-1-amd64"), "kernel", "FAIL 5.15.0-1-amd64 is too old"),
        (replace(WELL, kernel="odd"), "kernel", "warn"),
        (replace(WELL, fence=FenceState("")), "nftables", "warn not checked: there is no program"),
        (replace(WELL, fence=FenceState("v1")), "nftables", "warn v1; not checked: that needs"),
        (replace(WELL, fence=FenceState("v1", "no")), "nftables", "FAIL no fence can be built"),
        (replace(WELL, fence=FenceState("v1", "")), "fence", "warn no agent's tables"),
        (
            replace(WELL, fence=FenceState("v1", "", is_present=True, is_open=False), granted=1),
            "fence",
            "FAIL nothing keeps it open",
        ),
        (_with("all", "arp_ignore", 1), "arp_ignore", "warn eth1: it is 1"),
        (_with("all", "proxy_arp_pvlan", 1), "proxy_arp_pvlan", "FAIL eth1: it is 1"),
        (_with("eth1", "proxy_arp", 1), "proxy_arp", "warn eth1: it is 1"),
        (_with("eth1", "arp_ignore", 8), "arp_ignore", "FAIL eth1: it is 8"),
        (_with("all", "arp_announce", 0), "arp_announce", "warn eth1: it is 0"),
        (replace(_with("eth1", "rp_filter", 1), own_interfaces=OTHER_CARD), "rp_filter", "FAIL"),
        (replace(WELL, interfaces=("eth1", "kube-ipvs0")), "kube-proxy", "warn in IPVS mode"),
        (replace(WELL, refusing_operators=("10.0.0.1:7946",)), "ports", "FAIL UDP 10.0.0.1:7946"),
        (replace(WELL, operators=()), "ports", "warn not checked"),
        (replace(WELL, interfaces=("eth0",)), "ARP", "warn not checked"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(found: MachineState, check: str, wanted: str) -> None:
    assert _said(found)[check].startswith(wanted)


def test_strict_filters_matter_only_without_an_address_of_the_nodes() -> None:
    assert "rp_filter" not in _said(_with("eth1", "rp_filter", 1))


def test_a_fence_that_nothing_keeps_open_matters_only_where_something_is_granted() -> None:
    shut = FenceState("v1", "", is_present=True, is_open=False)
    assert _said(replace(WELL, fence=shut))["fence"].startswith("ok")


def test_kube_proxy_with_strict_arp_is_fine() -> None:
    found = _with("all", "arp_ignore", 1)
    said = _said(replace(found, interfaces=("eth1", "kube-ipvs0")))
    assert said["kube-proxy"].startswith("warn in IPVS mode, with strictARP; Services of type")


def test_the_oldest_kernel_is_the_agents() -> None:
    assert agent.OLDEST_KERNEL == machine_checks.OLDEST_KERNEL


@pytest.mark.parametrize(
    ("ahead", "wanted"),
    [(0.4, "ok"), (-30.0, "30 s behind"), (30.0, "30 s ahead of"), (None, "not checked")],
)
def test_clocks_are_compared(ahead: float | None, wanted: str) -> None:
    finding = machine_checks.check_clock(ahead, 2.0)
    assert wanted in f"{finding.verdict} {finding.message}"


def test_the_machine_is_looked_at_although_there_is_no_cluster(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = Memory()
    memory.refusal = CommandError("nobody answers", ExitCode.USAGE)
    run(["doctor", "--node-local", "-o", "json"], lambda _: memory)
    checks = [finding["check"] for finding in json.loads(capsys.readouterr().out)]
    assert checks[:2] == ["cluster", "kernel"]
    assert {"nftables", "kube-proxy", "ports"} <= set(checks)
