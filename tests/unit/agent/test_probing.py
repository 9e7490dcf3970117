"""What is asked when, and which silence means something."""

from collections.abc import Callable
from ipaddress import ip_address
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.codec.frames import probe_frame
from duravip_agent.core.probing import ONE_PROBE, ProbePolicy, ProbeResult, ProbeRun, ProbeSpec

MAC = bytes.fromhex("020000000001")
HOLDER, FOREIGN = "02:00:00:00:00:fe", "02:00:00:00:00:ee"
TICK = 0.001


class Sent(NamedTuple):
    """A batch that went out."""

    time: float
    addresses: tuple[str, ...]


def everything(addresses: tuple[str, ...], _: float) -> int:
    return len(addresses)


class Segment:
    """A segment that is asked, millisecond by millisecond."""

    def __init__(self, question: ProbeSpec) -> None:
        self.now = 0.0
        self.asking = ProbeRun(question, self.now)
        self.sent: list[Sent] = []

    def run(
        self,
        holders: dict[str, str] | None = None,
        lets_out: Callable[[tuple[str, ...], float], int] = everything,
    ) -> ProbeResult:
        """Ask to the end; these addresses are answered at once by these MACs."""
        while not self.asking.is_over(self.now):
            while batch := self.asking.pop_due(self.now):
                count = lets_out(batch.addresses, self.now)
                self.asking.mark_sent(batch, count, self.now)
                self.sent.append(Sent(self.now, batch.addresses[:count]))
                for address in batch.addresses[:count]:
                    if holders and address in holders:
                        self.asking.add_answer(address, holders[address])
            assert self.asking.is_over(self.now) or self.asking.next_due() >= self.now
            self.now = round(self.now + TICK, 6)
        return self.asking.result(self.now)


def addresses(count: int) -> tuple[str, ...]:
    return tuple(str(ip_address("10.1.64.0") + i) for i in range(count))


def test_an_address_is_asked_about_three_times_and_then_listened_for() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",)))
    assert segment.run().silent == {"10.1.1.7"}
    assert [round(sent.time, 6) for sent in segment.sent] == [0.0, 0.005, 0.01]
    assert segment.now == pytest.approx(0.031, abs=2 * TICK)


def test_an_answer_ends_it_at_once() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",)))
    findings = segment.run({"10.1.1.7": HOLDER})
    assert findings == ProbeResult({"10.1.1.7": (HOLDER,)})
    assert len(segment.sent) == 1


def test_what_has_answered_is_not_asked_about_again() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7", "10.1.1.8")))
    findings = segment.run({"10.1.1.8": HOLDER})
    assert [sent.addresses for sent in segment.sent] == [
        ("10.1.1.7", "10.1.1.8"),
        ("10.1.1.7",),
        ("10.1.1.7",),
    ]
    assert findings == ProbeResult({"10.1.1.8": (HOLDER,)}, frozenset({"10.1.1.7"}))


def test_thousands_go_out_in_batches_with_a_gap_between() -> None:
    segment = Segment(ProbeSpec(addresses(3413)))
    assert len(segment.run().silent) == 3413
    assert [len(sent.addresses) for sent in segment.sent] == 3 * [*(6 * [500]), 413]
    times = [sent.time for sent in segment.sent]
    assert min(b - a for a, b in pairwise(times)) >= 0.0019
    assert segment.now < 0.07


def test_both_families_can_be_asked_about_together() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7", "fd00:1::64:7")))
    findings = segment.run({"fd00:1::64:7": HOLDER})
    assert findings == ProbeResult({"fd00:1::64:7": (HOLDER,)}, frozenset({"10.1.1.7"}))
    assert all(len({":" in a for a in sent.addresses}) == 1 for sent in segment.sent)


def test_what_could_not_be_sent_is_not_silent() -> None:
    segment = Segment(ProbeSpec(addresses(3)))
    findings = segment.run(lets_out=lambda asked, _: len(asked) - 1)
    assert (findings.silent, findings.unasked) == (frozenset(), frozenset(addresses(3)))


def test_one_lost_probe_of_three_is_one_too_many() -> None:
    segment = Segment(ProbeSpec(addresses(2)))
    findings = segment.run(lets_out=lambda _, now: 2 if now < 0.01 else 1)
    assert findings.silent == {"10.1.64.0"}
    assert findings.unasked == {"10.1.64.1"}


def test_an_answer_counts_even_though_a_later_probe_was_lost() -> None:
    asking = ProbeRun(ProbeSpec(("10.1.1.7",)), 0.0)
    batch = asking.pop_due(0.0)
    assert batch is not None
    asking.mark_sent(batch, 0, 0.0)
    assert asking.is_over(0.0), "nothing that is to come would say anything"
    asking.add_answer("10.1.1.7", HOLDER)
    assert asking.result(0.0) == ProbeResult({"10.1.1.7": (HOLDER,)})


def test_in_doubt_nothing_is_silent() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",)))
    segment.asking.invalidate()
    assert segment.run() == ProbeResult(unasked=frozenset({"10.1.1.7"}))


def test_two_macs_for_one_address_are_both_named() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",)))
    segment.asking.add_answer("10.1.1.7", FOREIGN)
    segment.asking.add_answer("10.1.1.7", HOLDER)
    segment.asking.add_answer("10.1.1.7", FOREIGN)
    assert segment.run().answered == {"10.1.1.7": (FOREIGN, HOLDER)}


def test_an_answer_of_somebody_else_does_not_end_the_wait_for_the_one_who_counts() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",), macs=frozenset({HOLDER})))
    findings = segment.run({"10.1.1.7": FOREIGN})
    assert len(segment.sent) == 3
    assert findings == ProbeResult({"10.1.1.7": (FOREIGN,)}, frozenset({"10.1.1.7"}))


def test_the_answer_of_the_one_who_counts_ends_it() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",), macs=frozenset({HOLDER})))
    assert segment.run({"10.1.1.7": HOLDER}) == ProbeResult({"10.1.1.7": (HOLDER,)})
    assert len(segment.sent) == 1


def test_when_one_answer_is_enough_nobody_waits_for_another() -> None:
    asking = ProbeRun(ProbeSpec(addresses(2), is_one_enough=True), 0.0)
    batch = asking.pop_due(0.0)
    assert batch is not None
    asking.mark_sent(batch, 2, 0.001)
    asking.add_answer(batch.addresses[0], HOLDER)
    assert asking.next_due() == 0.001


def test_the_others_are_not_silent_then_though_they_were_asked_about_in_full() -> None:
    segment = Segment(ProbeSpec(addresses(2), ONE_PROBE, is_one_enough=True))
    findings = segment.run({"10.1.64.0": HOLDER})
    assert (findings.silent, findings.unasked) == (frozenset(), frozenset({"10.1.64.1"}))


def test_silence_is_one_from_its_end_on() -> None:
    asking = ProbeRun(ProbeSpec(addresses(1), ProbePolicy(probes=1, silence=0.25)), 0.0)
    batch = asking.pop_due(0.0)
    assert batch is not None
    asking.mark_sent(batch, 1, 0.5)
    assert asking.next_due() == 0.75
    assert asking.result(0.74) == ProbeResult(unasked=frozenset(addresses(1)))
    assert asking.is_over(0.75)
    assert asking.result(0.75) == ProbeResult(silent=frozenset(addresses(1)))
    asking.add_answer(batch.addresses[0], HOLDER)
    assert asking.next_due() == 0.5, "there is nothing left to wait for"


def test_the_last_probe_goes_out_however_far_apart_they_are() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",), ProbePolicy(spacing=0.1)))
    assert segment.run().silent == {"10.1.1.7"}
    assert len(segment.sent) == 3


def test_one_answer_may_be_enough_and_says_nothing_of_the_others() -> None:
    segment = Segment(ProbeSpec(addresses(3), is_one_enough=True))
    findings = segment.run({"10.1.64.1": HOLDER})
    assert len(segment.sent) == 1
    assert findings == ProbeResult(
        {"10.1.64.1": (HOLDER,)}, frozenset(), frozenset({"10.1.64.0", "10.1.64.2"})
    )


def test_an_address_that_nobody_asked_about_is_not_noted() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",)))
    segment.asking.add_answer("10.1.1.9", HOLDER)
    assert segment.run() == ProbeResult(silent=frozenset({"10.1.1.7"}))


def test_a_question_about_nothing_is_over() -> None:
    assert Segment(ProbeSpec(())).run() == ProbeResult()


def test_one_probe_is_one_probe() -> None:
    segment = Segment(ProbeSpec(("10.1.1.7",), ONE_PROBE))
    segment.run()
    assert len(segment.sent) == 1


@given(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)), st.integers(1, 9))
def test_every_address_is_found_answered_silent_or_unasked(
    held: set[int], stuck: set[int], batch: int
) -> None:
    every = addresses(40)
    holders = {every[i]: HOLDER for i in held}

    def lets_out(asked: tuple[str, ...], _: float) -> int:
        return next((i for i, a in enumerate(asked) if every.index(a) in stuck), len(asked))

    findings = Segment(ProbeSpec(every, ProbePolicy(batch=batch))).run(holders, lets_out)
    found = [*findings.answered, *findings.silent, *findings.unasked]
    assert sorted(found) == sorted(every)
    assert not {every[i] for i in stuck} & (findings.answered.keys() | findings.silent)


def test_an_arp_probe_has_no_sender() -> None:
    assert probe_frame("10.1.1.7", MAC) == bytes.fromhex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
        "020000000001 00000000 000000000000 0a010107"
    )


def test_a_solicitation_has_no_sender_either() -> None:
    assert probe_frame("fd00:1::64:7", MAC) == bytes.fromhex(
        "3333ff640007 020000000001 86dd 60000000 0018 3a ff"
        "00000000000000000000000000000000 ff0200000000000000000001ff640007"
        "8700 7cd0 00000000 fd000001000000000000000000640007"
    )
