"""A hand-over goes on as soon as a beat says that the former holder has let go."""

from dataclasses import replace

import pytest

from duravip_api.heartbeat import address_digest
from duravip_operator.core import decision, heartbeat_evidence, releases
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.releases import ConfirmedReleases, ReleaseRecord
from duravip_operator.core.snapshot import Placement, Snapshot
from unit.operator.clusters import cluster, vip

ETH1 = Placement("eth1", 32)
MOVED = vip(1, preference="n2")
KEPT = vip(2, preference="n1")
BOTH = frozenset({MOVED.address, KEPT.address})


def revoked() -> Snapshot:
    """`n1` served both; its spec, of generation 2, no longer grants the one that is to move."""
    snapshot = cluster((MOVED, KEPT), ("n1", "n2"))
    former = replace(
        snapshot.plumbings["n1"],
        boot="b",
        generation=2,
        observed_generation=1,
        grants={ETH1: frozenset({KEPT.address})},
        served=BOTH,
    )
    return replace(snapshot, plumbings={**snapshot.plumbings, "n1": former})


def granted_to_n2(snapshot: Snapshot) -> frozenset[str]:
    known = {"n1": ReleaseRecord("", 2, frozenset({MOVED.address}), ConfirmedReleases("b", BOTH))}
    records = releases.update_records(known, snapshot)
    plan = decision.decide(snapshot, records).plans["n2"]
    assert not plan.contested
    return frozenset().union(*plan.grants.values())


def test_what_is_let_go_is_granted_before_the_status_says_so() -> None:
    assert not granted_to_n2(revoked())
    assert granted_to_n2(replace(revoked(), release_confirmed=frozenset({"n1"}))) == {
        MOVED.address
    }


def test_a_beat_about_this_spec_with_nothing_else_served_says_that_it_has_let_go() -> None:
    former = revoked().plumbings["n1"]
    assert heartbeat_evidence.confirms_release(
        former, HeartbeatState("b", 2, address_digest(frozenset({KEPT.address})))
    )


@pytest.mark.parametrize(
    "heard",
    [
        HeartbeatState("b", 1, address_digest(frozenset({KEPT.address}))),
        HeartbeatState("earlier", 2, address_digest(frozenset({KEPT.address}))),
        HeartbeatState("b", 2, address_digest(BOTH)),
        HeartbeatState("b", 2, address_digest(frozenset())),
    ],
    ids=["of-an-earlier-spec", "of-an-earlier-agent", "it-still-serves-it", "it-has-lapsed"],
)
def test_any_other_beat_says_nothing(heard: HeartbeatState) -> None:
    assert not heartbeat_evidence.confirms_release(revoked().plumbings["n1"], heard)
