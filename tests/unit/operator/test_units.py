"""What is one address with its objects, and which object is rejected."""

from dataclasses import replace

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core.service_origin import ServiceOrigin
from duravip_operator.core.snapshot import MoveRequest, Plumbing, Snapshot, Topology, VipObject
from duravip_operator.core.topologies import build_blocks
from duravip_operator.core.units import Unit, Units, build_units
from unit.operator.admission_world import NIC, binding, duravip, topology

A, B = "10.1.1.1", "10.1.1.2"
SHARED = topology(namespaces=["mail", "web"])


def built(
    *vips: VipObject, lan: Topology | None = None, last: Units | None = None, **fields: object
) -> Units:
    snapshot = replace(Snapshot(vips=vips, topologies=(lan or topology(),)), **fields)  # type: ignore[arg-type]
    return build_units(snapshot, build_blocks(snapshot.topologies, "Segment"), last)


def of(units: Units) -> Unit:
    return units.units[A]


def test_the_objects_of_an_address_are_one_unit_and_the_oldest_comes_first() -> None:
    young = duravip("mail/a", A, services=[{"protocol": "TCP", "port": 25, "name": "smtp"}])
    old = replace(binding("mail/b", A, preference="n1"), created="2025")
    unit = of(built(young, old, duravip("mail/c", B)))
    assert [vip.name for vip in unit.vips] == ["b", "a"]
    assert unit.managed
    assert (unit.preference, unit.services) == ("n1", {("TCP/25", "smtp")})
    assert unit.topology is not None
    assert unit.electable


def test_the_ports_of_a_service_are_let_in_and_nobody_is_asked_who_listens_there() -> None:
    port = {"protocol": "TCP", "port": 80, "name": "http"}
    by_hand = duravip("mail/svc-web", A, expose="Declared", services=[port])
    generated = replace(by_hand, origin=ServiceOrigin("web", "u"))
    assert of(built(by_hand)).services == {("TCP/80", "http")}
    assert of(built(generated)).services == frozenset()
    assert of(built(generated)).open_ports == {"TCP/80"}


def test_an_object_that_cannot_be_parsed_harms_no_other_one() -> None:
    bad = duravip("mail/bad", "10.1.1.01")
    units = built(bad, duravip("mail/a", A))
    assert units.rejected.keys() == {bad.uid}
    assert of(units).electable


def test_of_two_namespaces_the_older_has_the_address() -> None:
    older, younger = replace(duravip("web/a", A), created="2025"), duravip("mail/b", A)
    units = built(younger, older)
    assert [vip.label for vip in of(units).vips] == ["DuraVIP web/a"]
    assert units.rejected[younger.uid].reason is Reason.NAMESPACE_CONFLICT
    assert "web" not in units.rejected[younger.uid].message


def test_a_topology_lists_the_namespaces_that_share_and_no_other_one_is_let_in() -> None:
    units = built(duravip("web/a", A), duravip("mail/b", A), duravip("spy/c", A), lan=SHARED)
    assert {vip.namespace for vip in of(units).vips} == {"web", "mail"}
    assert units.rejected["spy/c"].reason is Reason.NO_TOPOLOGY


def test_a_binding_name_stands_for_one_address_that_of_the_oldest() -> None:
    older, younger = replace(binding("mail/out", A), created="2025"), binding("web/out", B)
    units = built(younger, older)
    assert units.units.keys() == {A}
    assert units.rejected[younger.uid].reason is Reason.NAME_MISMATCH
    assert "mail" not in units.rejected[younger.uid].message


@pytest.mark.parametrize(
    ("address", "reason"),
    [("10.1.0.11", Reason.NODE_ADDRESS), ("10.1.255.255", Reason.BLOCK_EDGE)],
)
def test_an_address_that_no_object_can_have_breaks_its_unit(address: str, reason: Reason) -> None:
    plumbings = {"n1": Plumbing("n1", nics={"eth1": NIC})}
    unit = built(duravip("mail/a", address), plumbings=plumbings).units[address]
    assert unit.broken is not None
    assert unit.broken.reason is reason
    assert not unit.electable


def test_without_a_topology_it_is_refused_and_not_broken() -> None:
    unit = built(duravip("mail/a", "192.0.2.1")).units["192.0.2.1"]
    assert unit.broken is None
    assert unit.refusal is not None
    assert unit.refusal.reason is Reason.NO_TOPOLOGY


def test_preferences_that_differ_do_not_count_and_those_of_disabled_objects_never_do() -> None:
    one, two = duravip("mail/a", A, preference="n1"), duravip("mail/b", A, preference="n2")
    unit = of(built(one, two))
    assert unit.preference == ""
    assert unit.preference_conflict == "DuraVIP mail/a prefers n1; DuraVIP mail/b prefers n2"
    unit = of(built(one, replace(two, enabled=False)))
    assert (unit.preference, unit.preference_conflict) == ("n1", "")


def test_the_latest_request_counts_unless_the_preference_forbids_it() -> None:
    early, late = MoveRequest(1.0, "n2", releases=False), MoveRequest(2.0, "n3", releases=False)
    one = replace(duravip("mail/a", A), requests=(early, late))
    assert of(built(one)).request == late
    assert of(built(replace(one, preference="n2"))).request == early
    assert of(built(replace(one, preference="n1"))).request is None


def test_only_what_has_changed_is_built_again() -> None:
    one, two = duravip("mail/a", A), duravip("mail/b", B)
    last = built(one, two)
    after = built(one, replace(two, preference="n1"), last=last)
    assert after.units[A].vips is last.units[A].vips
    assert after.units[B].preference == "n1"


def test_a_unit_is_built_again_when_a_node_claims_its_address_or_its_block_changes() -> None:
    one = duravip("mail/a", "10.1.0.11")
    last = built(one)
    claimed = built(one, last=last, plumbings={"n1": Plumbing("n1", nics={"eth1": NIC})})
    assert claimed.units["10.1.0.11"].broken
    gone = built(one, last=last, topologies=(topology(cidr="10.1.1.0/24"),))
    assert gone.units["10.1.0.11"].refusal


def test_a_status_that_a_topology_gets_reaches_the_unit_that_is_kept() -> None:
    one, lan = duravip("mail/a", A), topology()
    last = built(one, lan=lan)
    present = replace(lan, generation=7)
    kept = of(built(one, lan=present, last=last))
    assert kept.topology is not None
    assert kept.topology.generation == 7
