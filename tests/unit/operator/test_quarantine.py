"""When an address is given up on a node that does not get to hold it, and for how long."""

from dataclasses import replace

from duravip_operator.core import quarantine
from duravip_operator.core.quarantine import FAILURE_CLEARS_AFTER_S, RETRY_AFTER_S, HoldFailures
from duravip_operator.core.snapshot import Placement, Plumbing, VipObject

A = "10.1.1.1"
LAN = Placement("eth1", 32)
WELL = Plumbing("n1", grants={LAN: frozenset({A})})
FAILING = replace(WELL, failures={A: "no"})
REVOKED = Plumbing("n1")


def looked(*seen: tuple[float, Plumbing], known: HoldFailures | None = None) -> HoldFailures:
    troubles = known or {}
    for now, plumbing in seen:
        troubles = quarantine.update_failures(troubles, {"n1": plumbing}, now, give_up_after=10)
    return troubles


def is_given_up(troubles: HoldFailures) -> bool:
    return quarantine.quarantined(troubles) == {A: frozenset({"n1"})}


def test_only_what_fails_for_long_enough_is_given_up() -> None:
    assert not is_given_up(looked((0, FAILING), (9.9, FAILING)))
    assert is_given_up(looked((0, FAILING), (10, FAILING)))


def test_an_address_that_is_well_in_between_has_not_recovered() -> None:
    assert is_given_up(looked((0, FAILING), (4, WELL), (8, FAILING), (9, WELL), (11, FAILING)))


def test_an_address_that_stays_well_has_recovered() -> None:
    after = looked(
        (0, FAILING),
        (FAILURE_CLEARS_AFTER_S, WELL),
        (FAILURE_CLEARS_AFTER_S + 1, FAILING),
        (19, FAILING),
    )
    assert not is_given_up(after)


def test_that_the_failure_ends_with_the_grant_is_no_recovery() -> None:
    given_up = looked((0, FAILING), (10, FAILING))
    assert is_given_up(looked((11, REVOKED), (9 + RETRY_AFTER_S, REVOKED), known=given_up))
    assert not is_given_up(looked((10 + RETRY_AFTER_S, REVOKED), known=given_up))


def test_a_grant_that_is_taken_away_before_that_starts_anew() -> None:
    assert not is_given_up(looked((0, FAILING), (5, REVOKED), (6, FAILING), (15, FAILING)))


def test_where_it_stays_the_end_of_the_failure_counts() -> None:
    stays = looked((0, FAILING), (10, FAILING), (20, FAILING))
    assert is_given_up(looked((20 + FAILURE_CLEARS_AFTER_S - 1, WELL), known=stays))
    assert not is_given_up(looked((20 + FAILURE_CLEARS_AFTER_S, WELL), known=stays))


def test_what_cannot_be_removed_is_no_failure_to_hold_it() -> None:
    leftover = Plumbing("n1", failures={A: "cannot delete the address"})
    assert not looked((0, leftover), (60, leftover))


def test_a_deleted_nodeplumbing_leaves_nothing() -> None:
    known = looked((0, FAILING), (10, FAILING))
    assert quarantine.update_failures(known, {}, 11, give_up_after=10) == {}


def test_statuses_tell_what_an_earlier_leader_has_given_up() -> None:
    move = {"from": "n1", "to": "n2", "reason": "RepairFailed", "time": "1970-01-01T00:01:40Z"}
    moved = VipObject("DuraVIP", "d", "a", "u", "", address=A, status={"lastMove": move})
    other = replace(moved, status={"lastMove": {**move, "reason": "Preference"}})
    back = replace(moved, status={"lastMove": {**move, "to": "n1"}})  # which n1 holds again
    assert [*quarantine.failures_in_last_moves([moved, other, back], 150.0)] == [
        ("n1", A, RETRY_AFTER_S - 50)
    ]
    assert not [*quarantine.failures_in_last_moves([moved], 100.0 + RETRY_AFTER_S)]
    ahead = [*quarantine.failures_in_last_moves([moved], 50.0)]  # of a clock that is ahead of ours
    assert ahead == [("n1", A, RETRY_AFTER_S)]
