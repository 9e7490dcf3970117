"""When a node counts again that could serve nothing for a while."""

from duravip_agent.core.node_health import (
    FORGOTTEN_AFTER_S,
    MAX_STEADY_S,
    STEADY_S,
    NodeHealth,
)
from duravip_api.reasons import Reason


def test_what_is_well_for_a_while_is_no_problem_any_more() -> None:
    health = NodeHealth()
    assert health.problem is None
    health.report_failure(Reason.MUTED, "lo", 10.0)
    assert health.problem == (Reason.MUTED, "lo")
    health.report_recovery(Reason.MUTED, 10.0 + STEADY_S / 2)
    assert health.has_problem(Reason.MUTED)
    health.report_failure(Reason.MUTED, "lo", 10.6)
    health.report_recovery(Reason.MUTED, 10.7 + STEADY_S)
    assert health.problem is None


def test_what_comes_back_must_be_well_for_longer_each_time() -> None:
    health, now, steady = NodeHealth(), 0.0, STEADY_S
    for _ in range(9):
        health.report_failure(Reason.MUTED, "lo", now)
        health.report_recovery(Reason.MUTED, now + 0.9 * steady)
        assert health.has_problem(Reason.MUTED)
        health.report_recovery(Reason.MUTED, now + steady)
        assert not health.has_problem(Reason.MUTED)
        now, steady = now + steady, min(2 * steady, MAX_STEADY_S)
    now += FORGOTTEN_AFTER_S + MAX_STEADY_S
    health.report_failure(Reason.MUTED, "lo", now)
    health.report_recovery(Reason.MUTED, now + STEADY_S)
    assert not health.has_problem(Reason.MUTED)


def test_the_gravest_problem_is_the_one_that_is_said() -> None:
    health = NodeHealth()
    health.report_failure(Reason.AGENT_FAILING, "a bug", 0.0)
    health.report_failure(Reason.UNFENCED, "no nft", 0.0)
    assert health.problem == (Reason.UNFENCED, "no nft")
    health.report_recovery(Reason.UNFENCED, 99.0)
    assert health.problem == (Reason.AGENT_FAILING, "a bug")
