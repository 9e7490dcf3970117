"""What is told from beats, and when."""

import pytest

from duravip_api.heartbeat import Heartbeat
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse.failure_detector import (
    GRACE_S,
    MAX_BOOTS_REMEMBERED,
    FailureDetector,
    KnownLiveness,
    Timeouts,
)

MATURE, SUSPECT = 5.0, 0.3


class Ears:
    """A detector that is told of n1's beats."""

    def __init__(self) -> None:
        self.detector = FailureDetector(Timeouts(MATURE, SUSPECT))
        self.seq = 0

    def beat(self, now: float, boot: str = "a", seq: int | None = None) -> bool:
        self.seq = self.seq + 1 if seq is None else seq
        return self.detector.record(Heartbeat("n1", boot, self.seq, 1, ""), now)

    def beats(self, first: float, last: float) -> None:
        for tenth in range(round(first * 10), round(last * 10) + 1):
            self.beat(tenth / 10)

    def at(self, now: float) -> Liveness | None:
        self.detector.evaluate(now)
        return self.detector.liveness().get("n1")


@pytest.fixture
def ears() -> Ears:
    ears = Ears()
    ears.detector.expect(frozenset({"n1"}), 0.0)
    return ears


def test_a_node_matures_by_beats_without_a_gap(ears: Ears) -> None:
    ears.beats(10.0, 14.9)
    assert ears.at(14.9) is Liveness.WARMING_UP
    ears.beat(15.0)
    assert ears.at(15.0) is Liveness.ALIVE


def test_silence_makes_it_suspected_and_nothing_more(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    assert ears.detector.next_due() == 10.0 + SUSPECT
    assert ears.at(10.29) is Liveness.ALIVE
    assert ears.at(10.31) is Liveness.SUSPECT
    assert ears.at(100.0) is Liveness.SUSPECT
    assert ears.detector.suspects() == {"n1": 10.0}


def test_a_suspected_node_is_alive_as_soon_as_it_is_heard(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    assert ears.at(10.9) is Liveness.SUSPECT
    ears.beat(10.9)
    assert ears.at(10.9) is Liveness.ALIVE
    assert ears.detector.suspects() == {}


def test_a_gap_makes_a_young_node_begin_anew(ears: Ears) -> None:
    ears.beats(0.0, 4.0)
    ears.beats(4.5, 9.4)
    assert ears.at(9.4) is Liveness.WARMING_UP
    ears.beat(9.5)
    assert ears.at(9.5) is Liveness.ALIVE


def test_after_a_long_silence_a_node_returns_as_a_young_one(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    ears.beat(11.1)
    assert ears.at(11.1) is Liveness.WARMING_UP
    ears.beats(11.2, 16.0)
    assert ears.at(16.0) is Liveness.WARMING_UP
    ears.beat(16.1)
    assert ears.at(16.1) is Liveness.ALIVE


def test_a_restarted_agent_keeps_its_standing(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    ears.beat(10.8, boot="b", seq=1)
    assert ears.at(10.8) is Liveness.ALIVE


def test_a_node_that_is_never_heard_is_suspected_only_after_long(ears: Ears) -> None:
    assert ears.at(MATURE + GRACE_S - 0.01) is Liveness.UNKNOWN
    assert ears.at(MATURE + GRACE_S) is Liveness.SUSPECT
    assert ears.detector.suspects() == {"n1": 0.0}


def test_replays_are_not_heard(ears: Ears) -> None:
    assert ears.beat(0.0, seq=5)
    assert not ears.beat(0.1, seq=5)
    assert not ears.beat(0.2, seq=4)
    assert ears.beat(0.3, boot="b", seq=1)
    assert not ears.beat(0.4, boot="a", seq=5)
    assert ears.at(0.6) is Liveness.SUSPECT


def test_only_so_many_boots_are_remembered(ears: Ears) -> None:
    for number in range(3 * MAX_BOOTS_REMEMBERED):
        assert ears.beat(0.0, boot=f"b{number}", seq=1)
    assert not ears.beat(0.1, boot=f"b{number}", seq=1)
    assert sum(
        ears.detector.is_new(Heartbeat("n1", f"b{n}", 1, 1, "")) for n in range(number)
    ) == (2 * MAX_BOOTS_REMEMBERED)


def test_a_node_of_which_nobody_has_told_us_is_forgotten_when_it_is_silent() -> None:
    ears = Ears()
    ears.beat(0.0)
    assert ears.at(0.0) is Liveness.WARMING_UP
    assert ears.at(1.1) is None


def test_a_node_that_is_no_longer_expected_is_forgotten(ears: Ears) -> None:
    ears.detector.expect(frozenset(), 1.0)
    assert ears.at(1.0) is None


def test_our_own_deafness_is_nobodys_silence(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    ears.detector.compensate_stall(3.0, 13.0)
    assert ears.at(13.0) is Liveness.ALIVE
    assert ears.at(13.31) is Liveness.SUSPECT


def test_only_a_beat_ends_a_silence(ears: Ears) -> None:
    ears.beats(0.0, 10.0)
    assert ears.at(10.5) is Liveness.SUSPECT
    ears.detector.compensate_stall(3.0, 13.5)
    assert ears.at(13.5) is Liveness.SUSPECT
    assert ears.detector.suspects() == {"n1": 10.0}


def test_nobody_is_young_or_silent_because_our_process_has_died() -> None:
    ears = Ears()
    known = {"n1": KnownLiveness(Liveness.ALIVE, 0.0), "n2": KnownLiveness(Liveness.SUSPECT, -7.0)}
    ears.detector.resume(known, 0.0)
    ears.detector.expect(frozenset({"n1", "n2"}), 0.0)
    assert ears.at(0.1) is Liveness.ALIVE
    assert ears.detector.suspects() == {"n2": -7.0}
    assert ears.at(0.5) is Liveness.SUSPECT
    ears.beat(0.6)
    assert ears.at(0.6) is Liveness.ALIVE
