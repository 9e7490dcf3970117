"""Whether an agent has ended that its status says has ended."""

from dataclasses import replace

import pytest

from duravip_operator.core import decision, heartbeat_evidence, releases
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Placement, Plumbing
from unit.operator.clusters import cluster, vip

ENDED = Plumbing("n1", boot="b", stopped=True)


@pytest.mark.parametrize(
    ("beats", "is_believed"),
    [
        ({}, True),
        ({"n1": HeartbeatState("b", 3, "d", stopped=True)}, True),
        ({"n1": HeartbeatState("b", 3, "d")}, False),
        ({"n1": HeartbeatState("before", 3, "d")}, False),
        ({"n1": HeartbeatState("before", 3, "d", stopped=True)}, False),
        ({"n2": HeartbeatState("b", 3, "d")}, True),
    ],
    ids=["never-heard", "it-says-so", "it-beats", "another-start-beats", "another-ended", "other"],
)
def test_a_goodbye_counts_only_if_the_last_beat_says_so(
    beats: dict[str, HeartbeatState],
    is_believed: bool,
) -> None:
    found = heartbeat_evidence.verify_stopped({"n1": ENDED}, beats)["n1"]
    assert (found.stopped, found.leaving) == (is_believed, not is_believed)


def test_who_has_not_ended_is_as_before() -> None:
    well = {"n1": replace(ENDED, stopped=False)}
    assert heartbeat_evidence.verify_stopped(well, {"n1": HeartbeatState("b", 3, "d")}) is well


def test_what_a_forged_goodbye_names_is_moved_as_in_a_drain() -> None:
    """It is taken out first, and granted to nobody else before the true agent has let it go."""
    moved = vip(1)
    snapshot = cluster((moved,), ("n1", "n2"))
    grants = {Placement("eth1", 32): frozenset({moved.address})}
    forged = replace(snapshot.plumbings["n1"], boot="b", grants=grants, stopped=True)
    plumbings = heartbeat_evidence.verify_stopped(
        {**snapshot.plumbings, "n1": forged}, {"n1": HeartbeatState("b", 1, "d")}
    )
    snapshot = replace(snapshot, plumbings=plumbings)
    records = releases.update_records({}, snapshot)
    plans = decision.decide(snapshot, records).plans
    assert not plans["n1"].addresses | plans["n2"].addresses
    revoked = replace(plumbings["n1"], grants={}, generation=2, observed_generation=1)
    records = releases.after_write(records, plumbings["n1"], revoked)
    snapshot = replace(snapshot, plumbings={**plumbings, "n1": revoked})
    assert not decision.decide(snapshot, records).plans["n2"].addresses
    done = replace(revoked, observed_generation=2)
    snapshot = replace(snapshot, plumbings={**plumbings, "n1": done})
    records = releases.update_records(records, snapshot)
    assert decision.decide(snapshot, records).plans["n2"].addresses == {moved.address}
