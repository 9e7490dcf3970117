"""The look, once a second, for what has lasted too long: what it finds, says and forgets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from duravip_api.annotations import format_time
from duravip_api.heartbeat import address_digest
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Liveness, Placement, Plumbing, VipObject
from duravip_operator.metrics import Metrics
from duravip_operator.node_health import NodeHealthMonitor
from duravip_operator.pulse import PulseView

A = "10.1.1.1"
WELL = Plumbing(
    "n1", grants={Placement("eth1", 32): frozenset({A})}, served=frozenset({A}),
    observed_generation=1, boot="b",
)  # fmt: skip
FAILING = replace(WELL, failures={A: "no"}, served=frozenset())
GIVEN_UP = {A: frozenset({"n1"})}


class World:
    """All that the vigil looks at, and speaks to."""

    def __init__(self, plumbing: Plumbing) -> None:
        self.plumbings = {"n1": plumbing}
        self.vips = {"u": VipObject("DuraVIP", "d", "a", "u", "", address=A)}
        self.has_synced = True
        self.epoch: int | None = 1
        self.hearing = Liveness.ALIVE
        self.heard = HeartbeatState("b", 1, address_digest(plumbing.served))
        self.said: list[tuple[str, str, str]] = []
        self.woken = 0

    def view(self) -> PulseView:
        return PulseView({"n1": self.hearing})

    def beats(self) -> Mapping[str, HeartbeatState]:
        return {"n1": self.heard}

    def record_for_node(self, node: str, reason: str, message: str, kind: str) -> None:
        self.said.append((node, f"{kind} {reason}", message))

    def wake(self) -> None:
        self.woken += 1


def watch_over(world: Any) -> NodeHealthMonitor:
    metrics = Metrics("test")
    return NodeHealthMonitor(
        world, world, world, events=world, metrics=metrics, give_up_after=10.0,
        on_change=world.wake,
    )  # fmt: skip


def test_an_address_that_fails_is_given_up_once_and_said_once() -> None:
    world = World(FAILING)
    vigil = watch_over(world)
    for now in (0.0, 5.0, 10.0, 11.0):
        vigil.check(now)
    assert vigil.quarantined == GIVEN_UP
    assert world.woken == 1
    said = f"cannot hold {A}: given up there for 300 s"
    assert world.said == [("n1", "Warning RepairFailed", said)]


def test_beats_that_contradict_the_status_are_said_once_until_they_agree() -> None:
    world = World(WELL)
    vigil = watch_over(world)
    world.heard = HeartbeatState("b", 1, "another")
    for now in (0.0, 5.0, 6.0):
        vigil.check(now)
    assert vigil.untrusted == {"n1"}
    world.heard = HeartbeatState("b", 1, address_digest(WELL.served))
    vigil.check(7.0)
    assert (vigil.untrusted, world.woken) == (frozenset(), 2)
    assert [reason for _, reason, _ in world.said] == ["Warning NodeContradicts"]


def test_what_a_silent_node_said_last_is_not_compared() -> None:
    world = World(WELL)
    vigil = watch_over(world)
    world.heard, world.hearing = HeartbeatState("b", 1, "another"), Liveness.SUSPECT
    for now in (0.0, 60.0):
        vigil.check(now)
    assert vigil.untrusted == frozenset()


def test_a_replica_that_does_not_lead_counts_nothing() -> None:
    world = World(FAILING)
    vigil = watch_over(world)
    world.epoch = None
    vigil.check(0.0)
    world.epoch = 2
    vigil.check(60.0)
    assert vigil.quarantined == {}
    vigil.check(70.0)
    assert vigil.quarantined == GIVEN_UP


def test_a_new_leader_knows_what_the_former_one_gave_up() -> None:
    world = World(replace(WELL, grants={}, served=frozenset()))
    move = {"from": "n1", "reason": "RepairFailed", "time": format_time(datetime.now(UTC))}
    world.vips["u"] = replace(world.vips["u"], status={"lastMove": move})
    vigil = watch_over(world)
    vigil.check(0.0)
    assert vigil.quarantined == GIVEN_UP
    vigil.check(301.0)
    assert vigil.quarantined == {}


def test_an_address_that_is_deleted_and_comes_back_is_tried_anew() -> None:
    world = World(FAILING)
    vigil = watch_over(world)
    vigil.check(0.0)
    vigil.check(10.0)
    vips, world.vips = world.vips, {}
    vigil.check(11.0)
    world.vips = vips
    vigil.check(12.0)
    assert vigil.quarantined == {}
