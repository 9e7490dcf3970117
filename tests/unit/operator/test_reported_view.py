"""What of a suspicion is shown, and when."""

import pytest

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.pulse.ipc import PulseView
from duravip_operator.pulse.reported_view import PROBING_TAKES_S, ReportedView

ETH1 = frozenset({"eth1"})
ALIVE = PulseView({"n1": Liveness.ALIVE, "n2": Liveness.ALIVE})
HEARING = {"n1": Liveness.SUSPECT, "n2": Liveness.ALIVE}


def silent(**facts: object) -> PulseView:
    return PulseView(HEARING, {"n1": Suspicion(last_heard=9.85, **facts)})  # type: ignore[arg-type]


@pytest.fixture
def news() -> ReportedView:
    news = ReportedView()
    news.update(ALIVE, 9.0)
    return news


def test_a_suspicion_is_kept_back_until_the_wire_has_been_asked(news: ReportedView) -> None:
    assert news.update(silent(), 10.0)
    assert news.visible(10.0) == ALIVE
    assert not news.update(silent(reachable_on=ETH1), 10.04)
    assert news.visible(10.04) == ALIVE
    assert news.visible(10.0 + PROBING_TAKES_S) == silent(reachable_on=ETH1)


def test_a_node_that_is_gone_is_shown_at_once(news: ReportedView) -> None:
    news.update(silent(), 10.0)
    news.update(silent(unreachable_on=ETH1), 10.04)
    assert news.visible(10.04) == silent(unreachable_on=ETH1)


def test_a_beat_that_is_late_changes_nothing(news: ReportedView) -> None:
    news.update(silent(), 10.0)
    news.update(ALIVE, 10.02)
    assert news.visible(10.02) is ALIVE
    assert news.visible(11.0) is ALIVE


def test_a_silence_that_was_there_before_is_shown_as_it_is() -> None:
    news = ReportedView()
    assert not news.update(silent(), 10.0)
    assert news.visible(10.0) == silent()
