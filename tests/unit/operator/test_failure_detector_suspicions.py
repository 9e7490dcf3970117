"""What follows from a silence by time alone."""

from duravip_operator.pulse.failure_detector import suspicions

ETH1 = frozenset({"eth1"})
HEARD, LED = 5, -1000.0


def muted(silent: dict[str, float], heard: int, now: float, led: float | None = LED) -> set[str]:
    found = suspicions(silent, {}, heard, led, now)
    return {name for name, silence in found.items() if silence.is_self_fenced}


def test_the_wires_word_is_passed_on() -> None:
    found = suspicions({"n1": 10.0}, {"n1": (ETH1, frozenset())}, HEARD, LED, 10.3)["n1"]
    assert (found.unreachable_on, found.reachable_on, found.last_heard) == (
        ETH1,
        frozenset(),
        10.0,
    )
    assert not found.is_lasting
    assert not found.is_self_fenced


def test_a_silence_lasts_from_a_second_on() -> None:
    assert not suspicions({"n1": 10.0}, {}, HEARD, LED, 10.99)["n1"].is_lasting
    assert suspicions({"n1": 10.0}, {}, HEARD, LED, 11.0)["n1"].is_lasting


def test_a_strict_node_must_have_muted_itself_after_its_hold_and_a_margin() -> None:
    assert muted({"n1": 10.0}, HEARD, 13.2) == set()
    assert muted({"n1": 10.0}, HEARD, 13.31) == {"n1"}


def test_a_former_leader_may_have_acknowledged_it_until_we_led() -> None:
    assert muted({"n1": 10.0}, HEARD, 20.0, led=None) == set()
    assert muted({"n1": 10.0}, HEARD, 20.0, led=17.0) == set()
    assert muted({"n1": 10.0}, HEARD, 20.4, led=17.0) == {"n1"}


def test_when_most_fall_silent_at_once_we_distrust_our_ears() -> None:
    silent = {"n1": 10.0, "n2": 10.1, "n3": 11.5}
    assert muted(silent, 2, 16.0) == set()
    assert muted(silent, 2, 21.4) == set()
    assert muted(silent, 2, 21.6) == set(silent)


def test_once_half_are_back_the_others_silence_counts() -> None:
    assert muted({"n1": 10.0, "n2": 10.1}, 2, 16.0) == {"n1", "n2"}


def test_it_is_no_mass_when_they_fall_one_by_one_or_are_few() -> None:
    assert muted({"n1": 10.0, "n2": 13.0, "n3": 13.1}, 2, 17.0) == {"n1", "n2", "n3"}
    assert muted({"n1": 10.0, "n2": 10.1}, 1, 14.0) == {"n1", "n2"}
