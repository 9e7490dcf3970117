"""What a status says of when and why its owner serves it, and what other tools read in it."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import MoveReason, Reason, State
from duravip_operator.core import object_status
from duravip_operator.core.address_pools import AddressPool, PoolStatus
from duravip_operator.core.address_status import AddressStatus, rejected_status, unmanaged_status
from duravip_operator.core.moves import PendingMove
from duravip_operator.core.snapshot import VipObject
from duravip_operator.status_reporter import move_of

OWNED = AddressStatus(State.OWNED, Reason.SERVED, "", "n1", "eth1")
MOVING = AddressStatus(State.MOVING, Reason.ELECTED, "")
UNASSIGNED = AddressStatus(State.UNASSIGNED, Reason.NO_PARTICIPANT, "")


class Told:
    """One object, whose statuses follow one another."""

    def __init__(self) -> None:
        self.vip = VipObject("DuraVIP", "x", "a", "u", "2026", address="10.1.1.1")
        self.second = 0
        self.says(OWNED, first=MoveReason.PREFERENCE)

    def says(
        self, verdict: AddressStatus, departure: PendingMove | None = None, **more: Any
    ) -> Any:
        self.second += 10
        moment = object_status.Timestamp(
            float(self.second), f"2026-01-01T00:00:{self.second}.123456Z"
        )
        status = object_status.object_status(self.vip, verdict, departure, moment, **more)
        self.before, self.vip = self.vip, replace(self.vip, status=status)
        return status

    def edit(self, address: str) -> None:
        self.vip = replace(self.vip, address=address)

    @property
    def sentence(self) -> str:
        return move_of(replace(self.vip, status=self.before.status), self.vip.status).sentence


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_first_owner_has_a_reason_and_no_predecessor(told: Told) -> None:
    move = told.vip.status["lastMove"]
    assert move == {"to": "n1", "reason": "Preference", "time": "2026-01-01T00:00:10.123456Z"}
    assert told.sentence == "10.1.1.1 is served by n1, its first owner"


def test_an_edited_address_begins_anew(told: Told) -> None:
    told.edit("10.1.1.2")
    assert told.says(MOVING)["address"] == "10.1.1.1", "of which it still speaks"
    status = told.says(OWNED, first=MoveReason.PREFERENCE)
    assert status["lastMove"] == {
        "to": "n1", "reason": "Edited", "time": "2026-01-01T00:00:30.123456Z"
    }  # fmt: skip
    assert (status["since"], status["address"]) == ("2026-01-01T00:00:30Z", "10.1.1.2")
    assert told.sentence == "10.1.1.2, which was 10.1.1.1, is served by n1"
    assert told.says(OWNED) == status


def test_an_edited_interface_is_a_change_on_the_same_node(told: Told) -> None:
    status = told.says(OWNED._replace(interface="eth2"))
    assert (status["lastMove"]["from"], status["lastMove"]["reason"]) == ("n1", "Edited")
    assert status["since"] == "2026-01-01T00:00:20Z"
    assert told.sentence == "10.1.1.1 is on eth2 now, and still on n1"


def test_an_outage_that_ends_on_the_same_node_is_told_with_its_cause(told: Told) -> None:
    told.says(UNASSIGNED)
    lost = PendingMove("n1", MoveReason.NODE_LOST, 12.0, "eth1")
    status = told.says(OWNED, lost)
    move = status["lastMove"]
    assert (move["from"], move["to"], move["reason"]) == ("n1", "n1", "NodeLost")
    assert move["gapMilliseconds"] == 18000
    assert status["since"] == "2026-01-01T00:00:30Z"
    assert told.sentence == "10.1.1.1 is served by n1 again"


@pytest.mark.parametrize(
    "departure",
    [
        None,
        PendingMove("n1", MoveReason.ELECTED, 12.0),
        PendingMove("n1", MoveReason.DRAIN, 1.0, was_unserved=False),
    ],
)
def test_what_was_no_outage_for_certain_is_none(told: Told, departure: PendingMove | None) -> None:
    first = told.vip.status
    told.says(MOVING)
    status = told.says(OWNED, departure)
    assert status["lastMove"] == first["lastMove"]
    assert status["since"] == first["since"], "never younger than the last move"


def test_after_a_change_of_leader_amid_a_move_the_former_owner_is_known(told: Told) -> None:
    told.says(MOVING)
    move = told.says(OWNED._replace(owner="n2"))["lastMove"]
    assert (move["from"], move["to"]) == ("n1", "n2")


def conditions(status: Any) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_other_tools_see_what_goes_on_and_what_needs_a_hand(told: Told) -> None:
    assert conditions(told.says(OWNED)) == {"Ready": ("True", "Served")}
    assert conditions(told.says(MOVING)) == {
        "Ready": ("False", "Elected"), "Reconciling": ("True", "Elected")
    }  # fmt: skip
    broken = conditions(told.says(rejected_status((Reason.NODE_ADDRESS, "why"))))
    assert broken["Ready"][0] == "False"
    assert broken["Stalled"] == broken["Broken"] == ("True", "NodeAddress")
    assert "Reconciling" not in broken


def test_what_asks_for_nothing_is_ready(told: Told) -> None:
    for reason in (Reason.NOT_ENABLED, Reason.NO_ADDRESS):
        assert conditions(told.says(unmanaged_status(reason))) == {"Ready": ("True", str(reason))}


def test_a_pool_tells_what_it_has_of_the_families_that_it_has() -> None:
    pool = AddressPool("lan", "u", "", generation=3)
    said = PoolStatus(Reason.ACCEPTED, "fine", total4=10, used4=2)
    status = object_status.pool_status(pool, said, "2026-11-30T12:00:00Z")
    (ready,) = status.pop("conditions")
    assert status == {"observedGeneration": 3, "total4": 10, "used4": 2}
    assert (ready["status"], ready["reason"]) == ("True", "Accepted")
    wide = said._replace(total4=0, total6=2**64, reason=Reason.OVERLAP)
    status = object_status.pool_status(pool, wide, "2026-11-30T12:00:00Z")
    assert (status["total6"], status["used6"]) == (str(2**64), "0")
    assert "total4" not in status
    assert status["conditions"][0]["status"] == "False"
