"""What acknowledgements prove, and when the dead-man is refreshed."""

from collections.abc import Iterable

import pytest

from duravip_agent import clock
from duravip_agent.core.acknowledgements import AckedHeartbeat, changes_contact, newest_ack
from duravip_agent.core.watchdog_rule import DEFAULTS, LeaderContact, Timeouts
from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject, Reachability
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_agent.segment.probe_worker import OnOutcome
from duravip_api.heartbeat import ProbeReport, ProbeRequest

FIRST = AckedHeartbeat(7, LeaderContact(10.0, 2, 5))
READ = 2
"""The epoch of the spec that was read."""


def known(
    before: AckedHeartbeat | None, heard: AckedHeartbeat, epoch: int = READ
) -> AckedHeartbeat:
    return newest_ack(before, heard, epoch)


def test_a_newer_beat_that_was_acknowledged_extends_contact() -> None:
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 5))).contact.sent == 10.1


def test_the_same_beat_acknowledged_again_brings_news_and_no_more_time() -> None:
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 6))).contact == LeaderContact(
        10.0, 2, 6
    )


def test_an_acknowledgement_that_comes_late_takes_nothing_back() -> None:
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, 2, 4))) == FIRST
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, 2, 6))).contact == LeaderContact(
        10.0, 2, 6
    )
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 4))) == FIRST
    assert known(None, FIRST) == FIRST


def test_an_epoch_that_no_spec_has_named_yet_does_not_make_an_earlier_beat_count() -> None:
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, READ + 1, 9))) == FIRST


def test_a_former_leader_is_not_believed_and_a_new_one_is() -> None:
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 1, 9))) == FIRST
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 3, 1))).contact == LeaderContact(
        10.1, 3, 1
    )
    assert known(
        FIRST, AckedHeartbeat(6, LeaderContact(9.9, 3, 1)), epoch=3
    ).contact == LeaderContact(9.9, 3, 1)
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 3, 1))).contact == LeaderContact(
        10.0, 3, 1
    )


def test_a_forged_epoch_makes_no_true_acknowledgement_void() -> None:
    forged = known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2**31 - 2, 5)))
    assert known(forged, AckedHeartbeat(9, LeaderContact(10.2, 2, 5))).contact == LeaderContact(
        10.2, 2, 5
    )


def test_a_forged_generation_lasts_no_longer_than_to_the_next_acknowledgement() -> None:
    forged = known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 10**9)))
    assert known(forged, AckedHeartbeat(8, LeaderContact(10.1, 2, 5))).contact == LeaderContact(
        10.1, 2, 5
    )


def test_news_is_another_spec_or_contact_after_a_gap() -> None:
    assert changes_contact(None, FIRST, DEFAULTS)
    assert not changes_contact(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 5)), DEFAULTS)
    assert changes_contact(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 6)), DEFAULTS)
    assert changes_contact(
        FIRST, AckedHeartbeat(8, LeaderContact(10.25, 2, 5)), Timeouts(contact=0.25)
    )


class DeadMan:
    """Counts."""

    def __init__(self) -> None:
        self.refreshes = self.mutes = 0

    def feed(self) -> None:
        self.refreshes += 1

    def mute(self) -> None:
        self.mutes += 1


@pytest.fixture
def dead_man() -> DeadMan:
    return DeadMan()


def lifeline(dead_man: DeadMan, lapses: list[bool], limits: Timeouts = DEFAULTS) -> Watchdog:
    return Watchdog(dead_man, limits, Metrics("1"), lambda: lapses.append(True))  # type: ignore[arg-type]


def test_the_heart_refreshes_only_what_the_loop_has_begun(dead_man: DeadMan) -> None:
    lapses: list[bool] = []
    line = lifeline(dead_man, lapses)
    line.feed(None)
    assert dead_man.refreshes == 0
    assert line.begin(clock.now() + 1)
    line.feed(None)
    assert (dead_man.refreshes, dead_man.mutes, lapses) == (2, 0, [])


def test_what_would_begin_too_late_does_not_begin(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [])
    assert not line.begin(clock.now() - 1)
    assert (dead_man.refreshes, line.fed_at) == (0, None)


def test_a_late_refresh_mutes_everything_and_wakes_the_loop(dead_man: DeadMan) -> None:
    lapses: list[bool] = []
    line = lifeline(dead_man, lapses)
    line.begin(clock.now() + 1)
    line.fed_at = clock.now() - 1
    line.feed(None)
    assert (dead_man.refreshes, dead_man.mutes, lapses) == (1, 1, [True])
    assert line.fed_at is None


def test_a_loop_that_does_not_come_round_is_not_kept_alive(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [], Timeouts(progress=-1.0))
    line.begin(clock.now() + 1)
    line.feed(None)
    assert dead_man.refreshes == 1


def test_strictly_fenced_addresses_need_contact(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [])
    line.begin(clock.now() + 1)
    line.has_strict = True
    line.feed(LeaderContact(clock.now(), 1, 1))
    assert line.fed_at is not None
    line.feed(LeaderContact(clock.now() - 2.6, 1, 1))
    assert line.fed_at is None


class Scout:
    """Sees at once."""

    def __init__(self) -> None:
        self.looked: list[ProbeSubject] = []
        self.watched: list[ProbeSubject] = []

    def probe_subject(self, suspect: ProbeSubject, on_sighting: OnOutcome) -> None:
        self.looked.append(suspect)
        on_sighting(ProbeOutcome(suspect.node, suspect.interface, Reachability.SILENT, 7.0, {}))

    def watch(self, suspects: Iterable[ProbeSubject]) -> None:
        self.watched = list(suspects)


def looked(*requests: tuple[ProbeRequest, float]) -> tuple[Scout, list[ProbeReport]]:
    scout, said = Scout(), list[ProbeReport]()
    taker = ProbeRequests(scout, "b1", Metrics("1"))  # type: ignore[arg-type]
    for look, at in requests:
        taker.handle(look, "operator", at, said.append)
    return scout, said


def request_to_probe(number: int, boot: str = "b1", address: str = "10.1.1.1") -> ProbeRequest:
    return ProbeRequest("n1", boot, number, "n2", "eth1", (address,), ("02:00:00:00:00:02",))


def test_a_look_is_answered_with_what_was_seen() -> None:
    scout, said = looked((request_to_probe(1), 0.0))
    asked = ProbeSubject("n2 by IPv4", "eth1", ("10.1.1.1",), frozenset({"02:00:00:00:00:02"}))
    assert scout.looked == [asked]
    assert said == [ProbeReport("n1", 1, "n2", "eth1", "silent", heard_ago=7.0)]


def test_whoever_was_asked_about_is_watched_on() -> None:
    scout, _ = looked((request_to_probe(1), 0.0), (request_to_probe(2, address="fd00::1"), 1.0))
    assert [suspect.node for suspect in scout.watched] == ["n2 by IPv4", "n2 by IPv6"]


def test_replays_and_looks_for_an_earlier_boot_are_not_heeded() -> None:
    _, said = looked(
        (request_to_probe(2), 0.0),
        (request_to_probe(2), 0.1),
        (request_to_probe(1), 0.2),
        (request_to_probe(3, "b0"), 0.3),
    )
    assert [sight.number for sight in said] == [2]


def test_an_operator_that_starts_anew_is_heard_after_a_while() -> None:
    _, said = looked((request_to_probe(900), 0.0), (request_to_probe(1), 9.0))
    assert [sight.number for sight in said] == [900, 1]


def test_a_look_that_names_no_address_is_dropped() -> None:
    _, said = looked((request_to_probe(1, address="nonsense"), 0.0))
    assert said == []
