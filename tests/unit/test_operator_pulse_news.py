"""What of a suspicion is shown, and when."""

import pytest

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.pulse.ipc import View
from duravip_operator.pulse.reported_view import LOOKING_TAKES, News

ETH1 = frozenset({"eth1"})
ALIVE = View({"n1": Liveness.ALIVE, "n2": Liveness.ALIVE})
HEARING = {"n1": Liveness.SUSPECT, "n2": Liveness.ALIVE}


def silent(**facts: object) -> View:
    return View(HEARING, {"n1": Suspicion(last_heard=9.85, **facts)})  # type: ignore[arg-type]


@pytest.fixture
def news() -> News:
    news = News()
    news.take(ALIVE, 9.0)
    return news


def test_a_suspicion_is_kept_back_until_the_wire_has_been_asked(news: News) -> None:
    assert news.take(silent(), 10.0)
    assert news.shown(10.0) == ALIVE
    assert not news.take(silent(reachable_on=ETH1), 10.04)
    assert news.shown(10.04) == ALIVE
    assert news.shown(10.0 + LOOKING_TAKES) == silent(reachable_on=ETH1)


def test_a_node_that_is_gone_is_shown_at_once(news: News) -> None:
    news.take(silent(), 10.0)
    news.take(silent(unreachable_on=ETH1), 10.04)
    assert news.shown(10.04) == silent(unreachable_on=ETH1)


def test_a_beat_that_is_late_changes_nothing(news: News) -> None:
    news.take(silent(), 10.0)
    news.take(ALIVE, 10.02)
    assert news.shown(10.02) is ALIVE
    assert news.shown(11.0) is ALIVE


def test_a_silence_that_was_there_before_is_shown_as_it_is() -> None:
    news = News()
    assert not news.take(silent(), 10.0)
    assert news.shown(10.0) == silent()
