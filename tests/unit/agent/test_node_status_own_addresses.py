"""The node's own addresses in its status: all of them, or a word that they are not."""

from dataclasses import replace

import pytest

from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_status import (
    MAX_NICS,
    ConditionState,
    StatusReport,
    build_status,
    holds_own_addresses,
    list_addresses,
    unlisted_ranges,
)
from duravip_api.addresses import expand_ranges, from_int
from duravip_api.nodeplumbing import MOST_LISTED, MOST_OWN_SPANS, NodePlumbingStatus
from duravip_api.reasons import Reason

ETH1 = Link(2, "eth1", is_up=True, has_carrier=True)
READY = ConditionState(Reason.AGENT_READY, "2026-01-01T00:00:00Z")


def status(*aliases: IfAddress, links: tuple[Link, ...] = (ETH1,)) -> NodePlumbingStatus:
    report = StatusReport(
        version="1", boot="b", readiness=READY, observed=KernelState(links, aliases)
    )
    return NodePlumbingStatus.model_validate(build_status(report))


def many(count: int, step: int = 1) -> list[IfAddress]:
    return [
        IfAddress(2, from_int(4, (10 << 24) + n * step), 16, is_marked=False) for n in range(count)
    ]


def told(said: NodePlumbingStatus) -> set[str]:
    listed = {a.partition("/")[0] for nic in said.nics for a in nic.addresses}
    return listed.union(expand_ranges(said.own, 10**6))


def test_more_addresses_than_are_listed_are_told_as_ranges() -> None:
    said = status(*many(1000))
    (nic,) = said.nics
    assert (len(nic.addresses), nic.addresses_omitted) == (MOST_LISTED, 1000 - MOST_LISTED)
    assert nic.networks == ["10.0.0.0/16"]
    assert told(said) == {alias.address for alias in many(1000)}
    assert (len(said.own), said.own_omitted) == (1, 0)


def test_one_address_of_each_network_is_listed() -> None:
    addresses = [f"10.1.0.{n}/16" for n in range(1, 200)] + ["192.168.7.1/24", "fd00::1/64"]
    found = list_addresses(addresses)
    assert {"192.168.7.1/24", "fd00::1/64"} <= set(found.addresses)
    assert found.networks == ["10.1.0.0/16", "192.168.7.0/24", "fd00::/64"]


def test_few_addresses_are_listed_in_order_and_nothing_else_is_said() -> None:
    found = list_addresses(["10.1.0.11/16", "10.1.0.9/16"])
    assert found == (["10.1.0.9/16", "10.1.0.11/16"], None, None)


def test_networks_that_are_too_many_are_said_to_be() -> None:
    found = list_addresses([f"10.{n}.0.1/24" for n in range(MOST_LISTED + 1)])
    assert (found.networks, found.omitted) == (None, 1)


@pytest.mark.parametrize("step", [2, 257])
def test_what_does_not_fit_even_as_ranges_is_counted(step: int) -> None:
    count = MOST_OWN_SPANS + 100
    said = status(*many(count, step))
    assert len(told(said)) + said.own_omitted == count
    assert said.own_omitted > 0


def test_the_addresses_of_interfaces_that_are_not_listed_are_told() -> None:
    numbers = range(2, MAX_NICS + 12)
    links = tuple(Link(n, f"eth{n}") for n in numbers)
    aliases = [IfAddress(n, from_int(4, (10 << 24) + n), 24, is_marked=False) for n in numbers]
    said = status(*aliases, links=links)
    assert (len(said.nics), said.nics_omitted) == (MAX_NICS, 10)
    assert told(said) == {alias.address for alias in aliases}


def test_interfaces_that_something_is_granted_on_or_that_have_addresses_come_first() -> None:
    links = tuple(Link(n, f"eth{n}") for n in range(2, MAX_NICS + 12))
    last = links[-1].name
    with_address = IfAddress(links[-2].index, "10.1.0.1", 16, is_marked=False)
    observed = KernelState(links, (with_address,))
    report = StatusReport(version="1", boot="b", readiness=READY, observed=observed)
    said = build_status(replace(report, granted_on=frozenset({last})))
    assert {last, links[-2].name} <= {nic["name"] for nic in said["nics"]}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (Link(3, "dummy0", is_up=True, kind="dummy"), True),
        (Link(3, "dummy0", is_up=True, kind="dummy", has_no_arp=True), False),
        (Link(3, "dummy0", kind="dummy"), False),
        (Link(3, "kube-ipvs0", kind="dummy"), False),
        (Link(3, "kube-lb0", is_up=True), False),
        (Link(1, "lo", is_up=True, is_loopback=True), False),
        (ETH1, True),
        (replace(ETH1, is_up=False), True),
    ],
)
def test_addresses_that_proxies_keep_are_not_the_nodes_own(link: Link, *, expected: bool) -> None:
    assert holds_own_addresses(link) is expected
    aliases = (IfAddress(link.index, "10.1.1.1", 32, is_marked=False),)
    assert (told(status(*aliases, links=(link,))) == {"10.1.1.1"}) is expected


def test_pods_cables_are_not_told() -> None:
    pod = Link(7, "cali1", kind="veth")
    assert unlisted_ranges(["10.0.0.1"], ["10.0.0.1"]) == ([], 0)
    assert told(status(IfAddress(7, "169.254.1.1", 32, is_marked=False), links=(pod,))) == set()


def test_all_addresses_of_a_cable_that_is_the_nodes_own_card_are_told() -> None:
    card = replace(ETH1, kind="veth")
    singles = [replaced._replace(mask=32) for replaced in many(200)[1:]]
    said = status(*many(1), *singles, links=(card,))
    assert told(said) == {alias.address for alias in many(200)}
