"""Nodes that are set aside: those that failed to hold an address, and those nobody can trust."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core import decision, parsing
from duravip_operator.core.election import Assignment
from duravip_operator.core.interface_choice import nic_fault
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Placement,
    Plumbing,
    Snapshot,
    Suspicion,
    VipObject,
)

A, B = "10.1.1.1", "10.1.1.2"
ETH1 = frozenset({"eth1"})
LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.1.0/24", "interface": "eth1"}}
)
NICS = {"eth1": Nic(name="eth1", index=2, up=True, carrier=True)}
GRANTS = {Placement("eth1", 32, fencing="Segment"): frozenset({A})}


def cluster(*, holder: str = "n1", preference: str = "", follower: bool = False) -> Snapshot:
    """Two nodes; one of them has an address, another address may follow."""
    vips = [VipObject("DuraVIP", "d", "a", "a", "", address=A, preference=preference)]
    if follower:
        led = VipObject("DuraVIP", "d", "b", "b", "", address=B, follow=A, enabled=False)
        vips.append(led)
    plumbings = {
        n: Plumbing(n, generation=1, observed_generation=1, nics=NICS) for n in ("n1", "n2")
    }
    plumbings[holder] = replace(plumbings[holder], grants=GRANTS, served=frozenset({A}))
    return Snapshot(
        vips=tuple(vips),
        topologies=(LAN,),
        nodes={name: Node(name) for name in plumbings},
        plumbings=plumbings,
        liveness=dict.fromkeys(plumbings, Liveness.ALIVE),
        witnessed=dict.fromkeys(plumbings, ETH1),
    )


def failing(snapshot: Snapshot, *nodes: str, address: str = A) -> Snapshot:
    return replace(snapshot, quarantined={address: frozenset(nodes)})


def liveness(snapshot: Snapshot, told: Mapping[str, Liveness], *, gone: bool = False) -> Snapshot:
    silent = {name for name, word in told.items() if word is Liveness.SUSPECT}
    suspicion = Suspicion(unreachable_on=ETH1 if gone else frozenset())
    silences = dict.fromkeys(silent, suspicion)
    return replace(snapshot, liveness={**snapshot.liveness, **told}, suspicions=silences)


def assignment(snapshot: Snapshot, address: str = A) -> Assignment:
    return decision.decide(snapshot, {}).assignments[address]


def test_what_failed_goes_to_another_node_and_says_why() -> None:
    found = assignment(failing(cluster(), "n1"))
    assert (found.owner, found.cause) == ("n2", MoveReason.REPAIR_FAILED)
    assert found.eligible.refusals == {"n1": Reason.REPAIR_FAILED}
    assert found.eligible.could_hold == {"n1", "n2"}


def test_an_address_that_a_node_calls_its_own_has_not_failed_there() -> None:
    snapshot = cluster()
    nodes = {**snapshot.nodes, "n1": Node("n1", addresses=frozenset({A}))}
    found = assignment(replace(snapshot, nodes=nodes))
    assert (found.owner, found.cause) == ("n2", MoveReason.EDITED)
    assert found.eligible.refusals == {"n1": Reason.NODE_ADDRESS}


def test_a_preference_does_not_bring_it_back() -> None:
    assert assignment(failing(cluster(holder="n2", preference="n1"), "n1")).owner == "n2"


def test_a_follower_that_failed_takes_its_leader_with_it() -> None:
    snapshot = failing(cluster(follower=True), "n1", address=B)
    assert [assignment(snapshot, address).owner for address in (A, B)] == ["n2", "n2"]


def test_where_it_failed_on_all_of_them_it_stays() -> None:
    assert assignment(failing(cluster(), "n1", "n2")).owner == "n1"


def test_where_no_other_node_is_left_it_may_come_back() -> None:
    snapshot = failing(cluster(holder="n2", preference="n1"), "n1")
    lost = liveness(snapshot, {"n2": Liveness.SUSPECT}, gone=True)
    assert assignment(lost).owner == "n1"


def test_an_owner_that_is_merely_young_keeps_it_from_one_that_failed() -> None:
    snapshot = failing(cluster(holder="n2", preference="n1"), "n1")
    for word in (Liveness.WARMING_UP, Liveness.SUSPECT):
        assert assignment(liveness(snapshot, {"n2": word})).owner == "n2"


def test_nothing_is_taken_from_one_that_failed_while_nobody_may_take_it() -> None:
    assert (
        assignment(liveness(failing(cluster(), "n1"), {"n2": Liveness.WARMING_UP})).owner == "n1"
    )


def test_a_node_that_cannot_be_trusted_loses_all_that_others_may_have() -> None:
    found = assignment(replace(cluster(), untrusted=frozenset({"n1"})))
    assert (found.owner, found.cause) == ("n2", MoveReason.NODE_LOST)
    assert found.eligible.refusals == {"n1": Reason.NODE_CONTRADICTS}
    assert assignment(replace(cluster(), untrusted=frozenset({"n1", "n2"}))).owner == "n1"


def test_other_addresses_of_the_node_stay() -> None:
    assert assignment(failing(cluster(), "n1", address=B)).owner == "n1"


def test_what_an_ending_agent_serves_is_first_taken_out_and_then_goes_elsewhere() -> None:
    snapshot = cluster()
    leaving = replace(snapshot.plumbings["n1"], leaving=True)
    found = decision.decide(replace(snapshot, plumbings={**snapshot.plumbings, "n1": leaving}), {})
    assert (found.assignments[A].owner, found.assignments[A].cause) == ("n2", MoveReason.DRAIN)
    assert found.assignments[A].eligible.refusals == {"n1": Reason.NODE_STOPPED}
    assert [found.plans[name].addresses for name in ("n1", "n2")] == [frozenset(), frozenset()]


def test_a_card_that_cannot_answer_for_a_family_is_none_for_its_addresses() -> None:
    nic = Nic(name="eth1", index=2, up=True, carrier=True)
    everywhere, four, six = (
        nic.model_copy(update={name: "it cannot"})
        for name in ("unusable", "unusable_ipv4", "unusable_ipv6")
    )
    assert [bool(nic_fault(each, 4)) for each in (nic, everywhere, four, six)] == [0, 1, 1, 0]
    assert [bool(nic_fault(each, 6)) for each in (nic, everywhere, four, six)] == [0, 1, 0, 1]
    for bad, refused in ((everywhere, True), (four, True), (six, False)):
        seen = cluster()
        plumbings = {**seen.plumbings, "n1": replace(seen.plumbings["n1"], nics={"eth1": bad})}
        chosen = assignment(replace(seen, plumbings=plumbings))
        assert chosen.owner == ("n2" if refused else "n1")
        assert (chosen.eligible.refusals.get("n1") is Reason.INTERFACE_UNUSABLE) == refused
        assert (chosen.cause is MoveReason.LINK_DOWN) == refused


@pytest.mark.parametrize("reason", [Reason.MUTED, Reason.UNFENCED, Reason.AGENT_FAILING])
def test_a_node_that_says_that_it_can_serve_nothing_holds_nothing(reason: Reason) -> None:
    seen = cluster()
    plumbings = {**seen.plumbings, "n1": replace(seen.plumbings["n1"], unfit=reason)}
    chosen = assignment(replace(seen, plumbings=plumbings))
    assert (chosen.owner, chosen.cause) == ("n2", MoveReason.NODE_LOST)
    assert chosen.eligible.refusals["n1"] is reason


@pytest.mark.parametrize(("kind", "status"), [("Ready", "True"), ("Fenced", "False")])
def test_a_node_that_is_allowed_to_have_no_fence_takes_part(kind: str, status: str) -> None:
    condition = {
        "type": kind,
        "status": status,
        "reason": "Unfenced",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = {"metadata": {"name": "n1"}, "status": {"conditions": [condition]}}
    assert parsing.plumbing(body).unfit is None
    condition.update(type="Ready", status="False")
    assert parsing.plumbing(body).unfit is Reason.UNFENCED
