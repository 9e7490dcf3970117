"""A replica that does not lead reads what is written amid a fail-over when that is over."""

from threading import Event

import pytest

from duravip_operator.standby import EVERY, LATE, Standby


class Watch:
    """Events that a watch reads, on a clock that only waiting moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, leads: bool) -> None:
        self.now, self.leads = 100.0, leads
        stopping = Event()
        monkeypatch.setattr(stopping, "wait", self._waited)
        self._standby = Standby(lambda: self.leads, stopping, lambda: self.now)

    def _waited(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def late(self) -> float:
        """How late one event is read."""
        begun = self.now
        self._standby.stand_back()
        return self.now - begun


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch, leads=False)


def test_the_first_of_many_events_is_late_and_the_others_with_it(watch: Watch) -> None:
    assert [watch.late() for _ in range(3)] == [LATE, 0.0, 0.0]


def test_it_is_never_late_for_long_however_many_events_there_are(watch: Watch) -> None:
    lates = []
    for _ in range(100):
        lates.append(watch.late())
        watch.now += EVERY / 10
    assert sum(lates) / (watch.now - 100.0) <= LATE / (LATE + EVERY) + 0.01


def test_whoever_leads_reads_at_once(watch: Watch) -> None:
    watch.leads = True
    assert watch.late() == 0.0
