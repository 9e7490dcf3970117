"""The observer's pure parts: its frames, its accounts, its timetable, its results."""

import json
import struct
from ipaddress import IPv4Address, IPv6Address
from math import inf

import pytest

from lab.observer import frames
from lab.observer.frames import Asker
from lab.observer.results import Sight
from lab.observer.rounds import Rounds
from lab.observer.tallies import MOST_HELD, TIMELY, Answer, Answers, Claims, as_facts
from lab.observer.traces import ANSWERED, DELIVERED, Passing, Recording, Wish, wishes

MAC = bytes.fromhex("02aabbccddee")
ASKER = Asker(MAC, IPv4Address("10.1.0.100"), IPv6Address("fd00:1::100"))
N1, N2 = "02:00:00:00:00:01", "02:00:00:00:00:02"


def ones_complement_sum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_an_ipv4_ping_has_right_checksums() -> None:
    whole = frames.ping_head(ASKER, "10.1.1.1") + frames.echo(4, 7, 123)
    assert ones_complement_sum(whole[14:34]) == 0xFFFF
    assert ones_complement_sum(whole[34:]) == 0xFFFF


@pytest.mark.parametrize("target", ["fd00:1::64:1", "fd00:1::ffff", "2001:db8:1:2:3:4:5:6"])
def test_one_middle_fits_the_checksum_of_every_ipv6_ping(target: str) -> None:
    middle = frames.echo(6, 70_000, 1 << 60)
    whole = frames.ping_head(ASKER, target) + middle + frames.ping_tail(ASKER, target)
    payload = whole[54:]
    pseudo = whole[22:54] + struct.pack("!II", len(payload), 58)
    assert ones_complement_sum(pseudo + payload) == 0xFFFF


def test_a_solicitation_goes_to_the_group_of_its_target_with_a_right_checksum() -> None:
    frame = frames.ask(ASKER, "fd00:1::64:1")
    assert frame[:6] == bytes.fromhex("3333ff640001")
    pseudo = frame[22:54] + struct.pack("!II", len(frame) - 54, 58)
    assert ones_complement_sum(pseudo + frame[54:]) == 0xFFFF


def test_a_ping_goes_nowhere_before_a_mac_is_known() -> None:
    assert frames.ping_head(ASKER, "10.1.1.1")[:12] == MAC + MAC


def test_two_macs_for_one_question_are_one_double_however_often_they_answer() -> None:
    claims = Claims(1)
    for mac in (N1, N2, N1, N2):
        claims.heard(0, 5, Answer(mac, 1.0, mac), 0.9)
    assert claims.double_samples == 1
    assert claims.doubles == [(0, 5, 0.9, 1.0, Answer(N1, 1.0, N1), Answer(N2, 1.0, N2))]
    assert claims.answered == [1]


def test_a_late_answer_to_the_question_before_makes_no_double() -> None:
    claims = Claims(1)
    claims.heard(0, 4, Answer(N1, 1.0))
    claims.heard(0, 5, Answer(N2, 1.02))
    claims.heard(0, 4, Answer(N1, 1.03))
    assert claims.double_samples == 0


def test_holdings_follow_each_other() -> None:
    claims = Claims(1)
    for sample, mac in enumerate((N1, N1, N2)):
        claims.heard(0, sample, Answer(mac, float(sample)))
    assert claims.holdings == [[(N1, 0.0, 1.0), (N2, 2.0, 2.0)]]


def test_an_outage_is_told_by_the_numbers_of_the_pings() -> None:
    answers = Answers(1)
    answers.heard(0, 0, sent=1.0, time=1.001)
    answers.heard(0, 1, sent=9.0, time=9.001)  # the sender was late, nothing was lost
    answers.heard(0, 4, sent=9.1, time=9.101)
    answers.end(5)
    assert answers.outages == [(0, 9.001, 9.101, 2)]


def test_an_answer_that_comes_too_late_is_none() -> None:
    answers = Answers(1)
    answers.heard(0, 0, sent=1.0, time=1.001)
    answers.heard(0, 1, sent=1.1, time=1.1 + 2 * TIMELY)
    answers.heard(0, 2, sent=1.2, time=1.201)
    answers.end(3)
    assert answers.outages == [(0, 1.001, 1.201, 1)]


def test_who_never_answered_has_no_outage_and_who_fell_silent_has_one_without_an_end() -> None:
    answers = Answers(2)
    answers.heard(1, 0, sent=1.0, time=1.001)
    answers.end(10)
    assert answers.outages == [(1, 1.001, None, 9)]


def test_who_answers_the_last_ping_late_is_not_taken_for_silent() -> None:
    answers = Answers(2)
    for index in range(2):
        answers.heard(index, 0, sent=1.0, time=1.001)
    answers.heard(0, 2, sent=1.2, time=1.2 + 2 * TIMELY)
    answers.heard(1, 1, sent=1.1, time=1.1 + 2 * TIMELY)
    answers.end(3)
    assert answers.outages == [(0, 1.001, 1.2 + 2 * TIMELY, 2), (1, 1.001, None, 2)]


def test_every_batch_is_sent_once_in_each_round() -> None:
    rounds = Rounds(batches=3, period=0.3, start=0.0)
    assert [rounds.take(rounds.due) for _ in range(4)] == [0, 1, 2, 0]
    assert rounds.count == 1
    assert rounds.due == pytest.approx(0.4)
    assert list(rounds.remaining()) == [1, 2]


def test_after_a_long_delay_the_timetable_starts_anew() -> None:
    rounds = Rounds(batches=1, period=0.1, start=0.0)
    rounds.take(5.0)
    assert rounds.late == 5.0
    assert rounds.due == 5.0


def test_a_pace_of_zero_is_never_due() -> None:
    assert Rounds(batches=1, period=0.0, start=0.0).due == inf


def test_a_sight_names_the_machines_and_measures_from_the_event() -> None:
    claims, answers = Claims(2), Answers(2)
    claims.heard(0, 0, Answer(N1, 1.0))
    claims.heard(0, 1, Answer(N2, 2.0))
    answers.heard(0, 0, sent=1.0, time=1.0)
    answers.heard(0, 9, sent=2.0, time=2.0)
    answers.end(10)
    facts = {"samples": 2, "late": 0.0, "dropped": 0, "started": 0.0, "ended": 3.0}
    sight = Sight.read(["a", "b"], as_facts(claims, answers) | facts, {N1: "n1"})
    assert sight.owners() == {"a": N2}
    assert [held.machine for held in sight.holdings["a"]] == ["n1", N2]
    assert sight.gap("a", since=1.5) == 1.0
    assert sight.gap("a", since=2.5) == 0.0
    assert sight.back_after("a", 1.25) == 0.75
    assert sight.gap("b") == inf
    assert sight.worst_gap() == inf


def test_a_double_has_its_frames_and_what_the_machines_have_recorded_of_it() -> None:
    claims = Claims(1)
    claims.heard(0, 4, Answer(N1, 1.002, "aa"), 1.0)
    claims.heard(0, 4, Answer(N2, 1.003, "bb"), 1.0)
    facts = {"samples": 5, "late": 0.0, "dropped": 0, "started": 0.0, "ended": 3.0}
    written = json.loads(json.dumps(as_facts(claims, Answers(1)) | facts))
    assert wishes(written["doubles"]) == [Wish(0, 0, 1.0, 1.003)]
    sight = Sight.read(["a"], written, {N1: "n1", N2: "n2"})
    (double,) = sight.with_traces({"n1": [[1.0005, 1.001]]}).doubles
    first, second = double.answers
    assert (double.asked, double.machines) == (1.0, {"n1", "n2"})
    assert (first.frame, first.delivered, first.sent) == ("aa", 1.0005, 1.001)
    assert (second.frame, second.heard, second.sent) == ("bb", 1.003, None)


def test_a_recording_knows_the_question_and_the_answer_that_are_wished_for() -> None:
    recording = Recording()
    for time in (1.0, 1.04, 1.08):
        recording.note(Passing(time, DELIVERED, 3, 1))
        recording.note(Passing(time + 0.001, ANSWERED, 3, 1))
    recording.note(Passing(1.041, DELIVERED, 4, 1))
    wished = [Wish(3, 1, 1.04, 1.045), Wish(4, 1, 1.04, 1.045), Wish(3, 0, 1.04, 1.045)]
    assert recording.found(wished) == [[1.04, 1.041], [1.041, None], [None, None]]


def test_the_last_holding_is_kept_however_often_an_address_moves() -> None:
    claims = Claims(1)
    for sample in range(2 * MOST_HELD + 1):
        claims.heard(0, sample, Answer((N1, N2)[sample % 2], float(sample)))
    assert len(claims.holdings[0]) == MOST_HELD
    assert claims.holdings[0][-1] == (N1, 2 * MOST_HELD, 2 * MOST_HELD)
