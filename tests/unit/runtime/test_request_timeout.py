"""A slow API server is taken for no dead one: requests wait for it, and Leases last longer."""

import pytest

from duravip_operator.leadership import lease_rule as rule
from duravip_operator.leadership.lease_rule import LEASE_DURATION_S, RETRY_PERIOD_S
from duravip_runtime.request_timeout import RequestTimeout
from unit.operator.test_elector import World


def test_a_server_that_is_well_is_given_the_shortest_time() -> None:
    patience = RequestTimeout(1.0, 10.0)
    for _ in range(9):
        patience.answered(0.02)
    assert patience.timeout == 1.0


def test_a_slow_one_is_given_three_times_what_it_takes_and_not_for_ever() -> None:
    patience = RequestTimeout(1.0, 10.0)
    patience.answered(0.9)
    assert patience.timeout == pytest.approx(2.7)
    for _ in range(50):
        patience.answered(0.02)
    assert patience.timeout == 1.0


def test_whoever_was_waited_for_in_vain_is_given_twice_the_time_up_to_the_longest() -> None:
    patience, waited = RequestTimeout(1.0, 10.0), []
    for _ in range(6):
        waited.append(patience.timeout)
        patience.unanswered(patience.timeout)
    assert waited == [1, 2, 4, 8, 10, 10]


def test_a_connection_that_is_refused_at_once_asks_for_no_patience() -> None:
    patience = RequestTimeout(1.0, 10.0)
    patience.unanswered(0.001)
    assert patience.timeout == 1.0


@pytest.mark.parametrize("takes", [0.6, 1.0, 3.0])
def test_where_every_request_takes_long_the_leader_stays_the_leader(takes: float) -> None:
    world = World()
    (one, connection), (two, other) = world.candidate("one"), world.candidate("two")
    connection.takes = takes
    for _ in range(5):
        one.round(0)
    assert one.epoch is not None
    epoch = one.epoch
    for _ in range(50):
        until, started = one.leads_until, world.now
        one.round(0)
        assert world.now < until  # it led until the answer came
        world.now = max(world.now, started + RETRY_PERIOD_S)
        other.takes = 0.0
        two.round(0)
        assert two.epoch is None
    assert one.epoch == epoch


def test_a_server_that_is_well_has_leases_that_last_two_seconds() -> None:
    assert [rule.lease_duration(took) for took in (0.0, 0.05, 0.24)] == [LEASE_DURATION_S] * 3
    assert rule.lease_duration(1.0) == 7.0
    assert rule.lease_duration(60.0) == rule.MAX_LEASE_DURATION_S
