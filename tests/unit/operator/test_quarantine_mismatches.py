"""When the beats and the status of a node contradict each other for too long."""

from dataclasses import replace

from duravip_api.heartbeat import address_digest
from duravip_operator.core import quarantine
from duravip_operator.core.quarantine import MISMATCH_AFTER_S, Mismatches
from duravip_operator.core.snapshot import Plumbing

A, B = frozenset({"10.1.1.1"}), frozenset({"10.1.1.2"})
STATUS = Plumbing("n1", generation=3, observed_generation=3, served=A, boot="b")
Beat = tuple[str, int, str]


def said(served: frozenset[str], generation: int = 3, boot: str = "b") -> Beat:
    return boot, generation, address_digest(served)


def looked(*seen: tuple[float, Plumbing, Beat | None]) -> Mismatches:
    known: Mismatches = {}
    for now, plumbing, beat in seen:
        beats = {"n1": beat} if beat else {}
        known = quarantine.update_mismatches(
            known, {"n1": plumbing}, beats, lambda p: address_digest(p.served), now
        )
    return known


def is_distrusted(known: Mismatches) -> bool:
    return quarantine.inconsistent_nodes(known) == {"n1"}


def test_a_difference_counts_once_it_has_lasted() -> None:
    assert not is_distrusted(
        looked((0, STATUS, said(B)), (MISMATCH_AFTER_S - 0.1, STATUS, said(B)))
    )
    assert is_distrusted(looked((0, STATUS, said(B)), (MISMATCH_AFTER_S, STATUS, said(B))))


def test_beats_that_each_say_something_else_count_as_well() -> None:
    assert is_distrusted(looked((0, STATUS, said(B)), (MISMATCH_AFTER_S, STATUS, said(A | B))))


def test_a_status_that_follows_late_is_none() -> None:
    other = replace(STATUS, served=A | B)
    assert not is_distrusted(
        looked((0, STATUS, said(B)), (4, other, said(B)), (8, other, said(B)))
    )
    assert not looked((0, STATUS, said(B)), (4, replace(STATUS, served=B), said(B)))


def test_what_is_said_under_another_generation_or_boot_is_not_compared() -> None:
    assert not looked((0, STATUS, said(B, generation=4)))
    assert not looked((0, STATUS, said(B, boot="c")))
    assert not looked((0, replace(STATUS, observed_generation=None), said(B)))


def test_trust_comes_back_when_both_agree_and_not_before() -> None:
    lost = ((0, STATUS, said(B)), (MISMATCH_AFTER_S, STATUS, said(B)))
    revoked = replace(STATUS, generation=4, observed_generation=4, served=frozenset())
    assert is_distrusted(looked(*lost, (6, revoked, said(B, 3))))
    assert is_distrusted(looked(*lost, (6, revoked, said(B, 4))))
    assert is_distrusted(looked(*lost, (6, STATUS, None)))
    assert not looked(*lost, (6, revoked, said(frozenset(), 4)))
