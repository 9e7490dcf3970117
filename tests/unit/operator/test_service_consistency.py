"""Which addresses are Unsafe, and what is said of them."""

from dataclasses import replace

from duravip_api import EXCLUDE_LABEL
from duravip_api.listeners import WILDCARD, Listener, parse_listeners
from duravip_api.reasons import Reason
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.service_consistency import ServiceConsistency, declared_ports
from duravip_operator.core.service_origin import ServiceOrigin
from duravip_operator.core.snapshot import Node, Plumbing, Selector, Service, Snapshot, VipObject
from duravip_operator.core.units import Unit

A, V6 = "10.1.1.1", "fd00:1::64:1"
SMTP: Service = ("TCP/25", "smtp")
HTTP: Service = ("TCP/80", "http")
MAIL: Selector = (("role", "mail"),)
NODES = {"n1": Node("n1", {"role": "mail"}), "n2": Node("n2"), "n3": Node("n3")}
ALL = frozenset(NODES)


def vip(*services: Service, selector: Selector = ()) -> VipObject:
    offered = frozenset(services)
    return VipObject("DuraVIP", "d", "a", "u", "", address=A, services=offered, selector=selector)


def unit(*vips: VipObject, address: str = A) -> Unit:
    services = frozenset(service for e in vips for service in e.services)
    return Unit(address, vips, managed=True, services=services)


def everywhere(port: str, family: int = 4) -> Listener:
    return Listener(port, WILDCARD[family])


def seen(**listening: set[Listener]) -> Snapshot:
    """A snapshot in which agents have looked at TCP/25 and have seen these."""
    looked = {Listener("TCP/25", "")}
    plumbings = {
        n: Plumbing(
            n, listening=parse_listeners(" ".join(filter(None, one)) for one in s or looked)
        )
        for n, s in listening.items()
    }
    return Snapshot(nodes=NODES, plumbings=plumbings)


def said(snapshot: Snapshot, found: Unit, among: frozenset[str] = ALL) -> str:
    advisory = ServiceConsistency(snapshot, SelectorIndex(snapshot.nodes)).inconsistency(
        found, among
    )
    return advisory[2] if advisory else ""


def test_services_of_nodes_that_a_selector_admits_differ_from_those_of_others() -> None:
    found = unit(vip(SMTP, selector=MAIL), vip(HTTP))
    snapshot = Snapshot(nodes=NODES)
    advisory = ServiceConsistency(snapshot, SelectorIndex(snapshot.nodes)).inconsistency(
        found, ALL
    )
    assert advisory == (
        "Unsafe",
        Reason.SERVICES_DIFFER,
        "smtp (TCP/25) is declared on n1, not on n2, n3",
    )
    without = replace(snapshot, nodes={"n1": NODES["n1"]})
    assert not said(without, found)


def test_selectors_that_lead_to_the_same_services_are_safe() -> None:
    assert not said(Snapshot(nodes=NODES), unit(vip(SMTP, selector=MAIL), vip(SMTP)))
    assert not said(Snapshot(nodes=NODES), unit(vip(SMTP, selector=MAIL)))
    assert not said(Snapshot(nodes=NODES), unit(vip(selector=MAIL), vip()))


def test_nodes_that_an_administrator_took_out_are_not_compared() -> None:
    out = {name: Node(name, {EXCLUDE_LABEL: ""}) for name in ("n2", "n3")}
    snapshot = Snapshot(nodes={**NODES, **out})
    assert not said(snapshot, unit(vip(SMTP, selector=MAIL), vip(HTTP)))


def test_a_listener_on_some_nodes_only_is_unsafe_and_on_none_or_all_is_not() -> None:
    smtp = {everywhere("TCP/25")}
    found = unit(vip(SMTP))
    assert said(seen(n1=smtp, n2=set(), n3=smtp), found) == (
        "smtp (TCP/25) has a listener on n1, n3, none on n2"
    )
    assert not said(seen(n1=smtp, n2=smtp, n3=smtp), found)
    assert not said(seen(n1=set(), n2=set(), n3=set()), found)
    assert not said(seen(n1=smtp, n2=set(), n3=smtp), unit(vip(HTTP)))
    assert not said(seen(n1=smtp, n2=set(), n3=smtp), unit(vip()))


def test_nodes_that_have_not_looked_or_do_not_participate_are_left_out() -> None:
    smtp = {everywhere("TCP/25")}
    other = {everywhere("TCP/80")}
    assert not said(seen(n1=smtp, n2=other, n3=smtp), unit(vip(SMTP)))
    assert not said(seen(n1=smtp, n2=set(), n3=smtp), unit(vip(SMTP)), frozenset({"n1", "n3"}))


def test_a_socket_counts_when_it_takes_what_comes_to_the_address() -> None:
    smtp, own = {everywhere("TCP/25")}, {Listener("TCP/25", A)}
    strange = {Listener("TCP/25", "10.1.1.2")}
    assert not said(seen(n1=smtp, n2=own, n3=smtp), unit(vip(SMTP)))
    assert "none on n2" in said(seen(n1=smtp, n2=strange, n3=smtp), unit(vip(SMTP)))
    assert not said(seen(n1=strange, n2=set(), n3=set()), unit(vip(SMTP)))


def test_a_range_counts_for_each_address_in_it_and_for_no_other() -> None:
    smtp, some = {everywhere("TCP/25")}, {Listener("TCP/25", "10.0.0.0-10.1.1.1")}
    more = {Listener("TCP/25", "10.1.1.2-10.255.255.255"), *some}
    assert not said(seen(n1=smtp, n2=some, n3=more), unit(vip(SMTP)))
    other = unit(vip(SMTP), address="10.1.1.2")
    assert "none on n2" in said(seen(n1=smtp, n2=some, n3=more), other)


def test_each_family_is_looked_at_by_itself() -> None:
    v4, both = {everywhere("TCP/25")}, {everywhere("TCP/25"), everywhere("TCP/25", 6)}
    snapshot = seen(n1=both, n2=v4, n3=both)
    assert not said(snapshot, unit(vip(SMTP)))
    assert "none on n2" in said(snapshot, unit(vip(SMTP), address=V6))


def test_both_are_said_at_once() -> None:
    found = unit(vip(SMTP, selector=MAIL), vip())
    text = said(seen(n1={everywhere("TCP/25")}, n2=set(), n3=set()), found)
    assert text == (
        "smtp (TCP/25) is declared on n1, not on n2, n3; "
        "smtp (TCP/25) has a listener on n1, none on n2, n3"
    )


def test_agents_are_asked_about_every_port_that_a_managed_unit_declares() -> None:
    idle = unit(vip(HTTP))._replace(managed=False)
    dns = unit(vip(("UDP/53", "dns"), SMTP), address=V6)
    assert declared_ports([unit(vip(SMTP)), dns, idle]) == ("TCP/25", "UDP/53")


def test_a_duravip_that_was_generated_for_a_service_does_not_count() -> None:
    web = replace(vip(HTTP, selector=MAIL), origin=ServiceOrigin("web", "u"))
    both = unit(vip(SMTP))._replace(vips=(vip(SMTP), web))
    assert not said(Snapshot(nodes=NODES), both)
    by_hand = both._replace(vips=(vip(SMTP), replace(web, origin=None)))
    assert said(Snapshot(nodes=NODES), by_hand)
