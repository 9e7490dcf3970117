"""Who has which address, and which ports of it."""

from dataclasses import replace

from duravip_operator.core.address_holders import Holders
from unit.operator.service_world import asking, made, parsed, plan, service, settled, vip

OLD = asking("10.1.1.9", "old", created="2025-01-01T00:00:00Z", ports=["TCP/80"])
NEW = asking("10.1.1.9", "new", ports=["TCP/80", "TCP/443"])


def test_a_port_is_that_of_the_service_whose_duravip_declares_it() -> None:
    services = parsed(OLD, NEW)
    holders = Holders(settled([OLD]), services)
    found = holders.clash("10.1.1.9", services["default/new"])
    assert found == ("TCP/80", services["default/old"])
    assert holders.clash("10.1.1.9", services["default/old"]) is None


def test_of_two_that_both_have_it_the_older_keeps_it() -> None:
    services = parsed(OLD, NEW)
    bodies = [plan([one]).creates[f"default/svc-{n}"] for n, one in (("old", OLD), ("new", NEW))]
    holders = Holders(map(made, bodies), services)
    assert holders.clash("10.1.1.9", services["default/old"]) is None
    assert holders.clash("10.1.1.9", services["default/new"]) is not None


def test_what_this_plan_gives_out_counts_at_once() -> None:
    services = parsed(OLD, NEW)
    holders = Holders([], services)
    holders.give("10.1.1.9", services["default/old"])
    assert holders.clash("10.1.1.9", services["default/new"]) is not None
    assert holders.use("10.1.1.9").given == [services["default/old"]]


def test_a_service_that_is_gone_has_nothing() -> None:
    holders = Holders(settled([OLD]), parsed(NEW))
    assert holders.use("10.1.1.9").ports == {}
    assert holders.clash("10.1.1.9", parsed(NEW)["default/new"]) is None


def test_what_cannot_be_read_holds_nothing_and_what_is_in_flight_does() -> None:
    body = plan([OLD]).creates["default/svc-old"]
    holders = Holders([vip("x", "10.1.1.900"), made(body, uid="-")], parsed(OLD))
    assert set(holders.by_address) == {"10.1.1.9"}
    assert holders.own(parsed(OLD)["default/old"], 4) is not None
    assert not any(key.endswith("svc-old") for key in holders.there)


def test_who_has_it_without_asking_is_known() -> None:
    (body,) = plan([OLD]).creates.values()
    quiet = service("old", created="2025-01-01T00:00:00Z")
    services = parsed(quiet, NEW)
    holders = Holders([made(body)], services)
    assert holders.unasked("10.1.1.9", services["default/new"]) is services["default/old"]
    assert holders.unasked("10.1.1.9", services["default/old"]) is None


def test_what_this_plan_gives_out_unasked_is_that_services_alone() -> None:
    services = parsed(service("old"), NEW)
    holders = Holders([], services)
    holders.give("10.1.1.9", services["default/new"])
    assert holders.unasked("10.1.1.9", services["default/old"]) is None
    holders.give("10.1.1.9", services["default/old"])
    assert holders.unasked("10.1.1.9", services["default/new"]) is services["default/old"]


def test_a_binding_is_no_duravip_and_one_without_an_address_holds_none() -> None:
    bindings = [
        vip("svc-old", "10.1.1.9", kind="Binding"),
        replace(vip("idle", "10.1.1.8", kind="Binding"), address=""),
    ]
    holders = Holders(bindings, parsed(OLD))
    assert holders.there == {}
    assert set(holders.by_address) == {"10.1.1.9"}


def test_what_was_generated_for_a_former_service_of_the_name_is_not_its_own() -> None:
    (body,) = plan([OLD]).creates.values()
    again = parsed(OLD | {"metadata": OLD["metadata"] | {"uid": "another"}})
    holders = Holders([made(body)], again)
    assert holders.service_of(made(body)) is None
    assert holders.own(again["default/old"], 4) is None
    assert holders.use("10.1.1.9").ports == {}
    assert [one.name for one in holders.strangers("10.1.1.9", again["default/old"])] == ["svc-old"]


def test_who_is_there_beside_its_own_is_a_stranger() -> None:
    (body,) = plan([OLD]).creates.values()
    services = parsed(OLD)
    holders = Holders([made(body), vip("theirs", "10.1.1.9")], services)
    found = holders.strangers("10.1.1.9", services["default/old"])
    assert [one.name for one in found] == ["theirs"]


def test_who_names_a_duravip_asks_for_its_address_and_no_other() -> None:
    services = parsed(service(annotations={"duravip.io/vip": "front,gone"}))
    holders = Holders([vip("front", "10.1.1.9")], services)
    assert holders.asks(services["default/web"], "10.1.1.9")
    assert not holders.asks(services["default/web"], "10.1.1.8")


def test_a_port_that_no_duravip_declares_is_nobodys_but_one_of_sctp_is() -> None:
    (body,) = plan([OLD]).creates.values()
    more = asking("10.1.1.9", "old", created="2025-01-01T00:00:00Z", ports=["TCP/81", "SCTP/9"])
    services = parsed(more)
    holders = Holders([made(body)], services)
    assert holders.use("10.1.1.9").ports == {"SCTP/9": services["default/old"]}
