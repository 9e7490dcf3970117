"""What a scout says of a suspect, and when its silence means something."""

from dataclasses import replace

import pytest

from duravip_agent.core.probing import ONE_PROBE, ProbeResult, ProbeSpec
from duravip_agent.core.witness_book import (
    ProbeSubject,
    Reachability,
    WitnessBook,
    reachability,
    suspect_probe,
)
from duravip_api.timing import MOST_SCOUTED, WATCH_EVERY, WITNESS_FOR

MAC, FOREIGN = "02:00:00:00:00:fe", "02:00:00:00:00:ee"
ONE, TWO = "10.1.1.1", "10.1.1.2"
N2 = ProbeSubject("n2", "eth1", (ONE, TWO), frozenset({MAC}))
HEARD = ProbeResult({ONE: (MAC,)}, unasked=frozenset({TWO}))
SILENCE = ProbeResult(silent=frozenset({ONE, TWO}))
START = 1000.0


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        (HEARD, Reachability.ANSWERING),
        (ProbeResult({ONE: (FOREIGN, MAC)}), Reachability.ANSWERING),
        (SILENCE, Reachability.SILENT),
        (ProbeResult({ONE: (FOREIGN,)}, frozenset({ONE, TWO})), Reachability.SILENT),
        (ProbeResult({ONE: (FOREIGN,)}, unasked=frozenset({ONE, TWO})), Reachability.UNKNOWN),
        (ProbeResult(silent=frozenset({ONE}), unasked=frozenset({TWO})), Reachability.UNKNOWN),
        (ProbeResult(), Reachability.UNKNOWN),
    ],
)
def test_the_verdict_follows_from_who_answered(
    findings: ProbeResult, verdict: Reachability
) -> None:
    assert reachability(N2, findings) is verdict


def test_whoever_answers_is_the_suspect_when_its_mac_is_not_known() -> None:
    unknown = ProbeSubject("n2", "eth1", (ONE,))
    assert reachability(unknown, ProbeResult({ONE: (FOREIGN,)})) is Reachability.ANSWERING


def test_a_suspect_is_asked_for_a_few_addresses_and_one_answer_is_enough() -> None:
    many = ProbeSubject("n2", "eth1", tuple(f"10.1.1.{i}" for i in range(99)), N2.macs)
    question = suspect_probe(many)
    assert question.addresses == many.addresses[:MOST_SCOUTED]
    assert question.is_one_enough
    assert question.macs == N2.macs


def test_whoever_has_heard_the_suspect_within_a_minute_is_a_witness() -> None:
    book = WitnessBook()
    assert book.note(N2, SILENCE, START).is_witness is False
    assert book.note(N2, HEARD, START).is_witness is True
    sighting = book.note(N2, SILENCE, START + WITNESS_FOR)
    assert (sighting.verdict, sighting.is_witness) == (Reachability.SILENT, True)
    assert book.note(N2, SILENCE, START + WITNESS_FOR + 1).is_witness is False


def test_a_witness_on_one_interface_is_none_on_another() -> None:
    book = WitnessBook()
    book.note(N2, HEARD, START)
    assert not book.note(replace(N2, interface="eth2"), SILENCE, START).is_witness
    assert not book.note(replace(N2, node="n3"), SILENCE, START).is_witness


def test_an_answer_of_a_foreign_mac_makes_no_witness() -> None:
    book = WitnessBook()
    sighting = book.note(N2, ProbeResult({ONE: (FOREIGN,)}, frozenset({ONE, TWO})), START)
    assert (sighting.verdict, sighting.is_witness) == (Reachability.SILENT, False)


def test_a_watched_node_is_asked_at_once_and_then_every_twenty_seconds() -> None:
    book = WitnessBook()
    book.watch([N2], START)
    assert book.due(START) == [(N2, ProbeSpec((ONE,), ONE_PROBE, N2.macs))]
    assert book.due(START + WATCH_EVERY - 1) == []
    assert book.next_due() == START + WATCH_EVERY
    assert book.due(START + WATCH_EVERY) == [(N2, ProbeSpec((TWO,), ONE_PROBE, N2.macs))]
    assert book.due(START + 2 * WATCH_EVERY) == [(N2, ProbeSpec((ONE,), ONE_PROBE, N2.macs))]


def test_a_node_with_other_addresses_keeps_its_turn() -> None:
    book = WitnessBook()
    book.watch([N2], START)
    book.due(START)
    changed = ProbeSubject("n2", "eth1", ("10.1.1.9",), N2.macs)
    book.watch([changed], START + 1)
    assert book.due(START + 1) == []
    assert book.due(START + WATCH_EVERY) == [
        (changed, ProbeSpec(("10.1.1.9",), ONE_PROBE, N2.macs))
    ]


def test_a_node_that_is_no_longer_watched_is_not_asked_but_stays_known_for_its_minute() -> None:
    book = WitnessBook()
    book.watch([N2], START)
    book.note(N2, HEARD, START)
    book.watch([], START + 1)
    assert book.due(START + WATCH_EVERY) == []
    assert book.next_due() is None
    assert book.note(N2, SILENCE, START + WITNESS_FOR).is_witness
    book.watch([], START + WITNESS_FOR + 1)
    assert not book.note(N2, SILENCE, START).is_witness


def test_a_node_with_nothing_to_ask_for_is_not_watched() -> None:
    book = WitnessBook()
    book.watch([ProbeSubject("n2", "eth1", ())], START)
    assert book.due(START) == []
