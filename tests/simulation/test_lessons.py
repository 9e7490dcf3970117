"""Histories that once showed a hole, or something that is not as it should be."""

from collections import Counter
from typing import Any

import pytest

from simulation.changes import Weak
from simulation.histories.machine import Histories, replayed
from simulation.histories.network import ADDRESSES

Step = tuple[tuple[Any, ...], int]
"""What happens, and for how many ticks nothing else does."""

LESSONS: dict[str, list[Step]] = {
    "a NodePlumbing of an unreachable node is deleted, and another leader takes over": [
        (("is cut off", "n0"), 0),
        (("plumbing is deleted", "n0"), 0),
        (("operator pauses", "o0"), 70),
    ],
    "the same, when the first leader has made a new one already": [
        (("is cut off", "n0"), 0),
        (("plumbing is deleted", "n0"), 2),
        (("operator pauses", "o0"), 70),
    ],
    "what an unreachable node has to give up is still doubted when its object is a new one": [
        (("is cut off", "n0"), 10),
        (("prefers", "a", "n1"), 3),
        (("plumbing is deleted", "n0"), 20),
    ],
    "a leader that has slept knows nothing of what was given up where it is made again": [
        (("operator pauses", "o1"), 0),
        (("node is deleted", "n0"), 3),
        (("all is mended",), 0),
        (("lease is deleted",), 3),
    ],
    "the object of a Node that is gone stays until its agent, which hangs, has acted on it": [
        (("loop hangs", "n0"), 0),
        (("plumbing is deleted", "n0"), 0),
        (("node is deleted", "n0"), 5),
    ],
    "a young node that loses the link of what follows loses all for that link": [
        (("operator pauses", "o0"), 0),
        (("freezes", "n2"), 20),
        (("thaws", "n2"), 0),
        (("operator resumes", "o0"), 0),
        (("is unplugged", "n2", "eth2"), 3),
    ],
    "a Node and its NodePlumbing are deleted while its agent runs": [
        (("node is deleted", "n0"), 0),
        (("plumbing is deleted", "n0"), 2),
    ],
    "what a node has called its own for a moment is not given up there by the next leader": [
        (("lies", "n0"), 5),
        (("operator restarts", "o0"), 0),
    ],
    "a watch tells of a deletion that a restored backup has undone": [
        (("backup is made",), 0),
        (("is deleted", "a"), 0),
        (("backup is restored",), 0),
    ],
}


@pytest.mark.parametrize("steps", LESSONS.values(), ids=LESSONS)
def test_what_once_was_wrong_is_right(steps: list[Step]) -> None:
    assert replayed(steps) > 0


@pytest.mark.parametrize("ticks", range(62, 70))
def test_an_edit_between_the_two_steps_of_a_hand_over_fails_no_pass(ticks: int) -> None:
    edit = ("gets another address", "d", "fd00:1::64:5")
    assert replayed([(("crashes", "n0"), ticks), (edit, 1)], hidden="eth1") > 0


def test_what_one_node_says_takes_nothing_from_the_others() -> None:
    _one_node_lies(frozenset())


def test_a_pass_that_believes_one_node_takes_what_others_serve() -> None:
    with pytest.raises(AssertionError):
        _one_node_lies(frozenset({"word"}))


def _one_node_lies(weak: Weak) -> None:
    history = _begun(weak)
    history.happens(("lies", "n2"), 200)
    held = _owners(history)
    assert held.keys() == set(ADDRESSES)
    assert "n2" not in held.values()
    history.happens(("crashes", "n0"), 100)
    assert _owners(history) == dict.fromkeys(ADDRESSES, "n1")
    history.happens(("operator restarts", "o0"), 0)
    history.happens(("operator restarts", "o1"), 0)
    history.happens(("boots", "n0"), 400)
    assert _owners(history)["10.1.1.1"] == "n0"
    history.teardown()


@pytest.mark.parametrize("is_older", [False, True], ids=["ours", "older version's"])
def test_a_node_that_never_acts_hinders_nobody_else_under_the_next_leader(
    is_older: bool,
) -> None:
    """Unless an operator of an older version led before: it does not say what was unconfirmed."""
    history = _begun(frozenset({"unsaid"} if is_older else ()))
    history.happens(("loop hangs", "n0"), 0)
    history.happens(("is excluded", "n0"), 20)
    history.happens(("operator restarts", "o0"), 70)
    history.happens(("operator restarts", "o1"), 70)
    history.happens(("crashes", "n1"), 100)
    others = {address for address in ADDRESSES if address != "10.1.1.1"}
    assert (_owners(history) == dict.fromkeys(others, "n2")) is not is_older
    history.happens(("thaws", "n0"), 100)
    assert _owners(history) == dict.fromkeys(ADDRESSES, "n2")
    history.teardown()


def _begun(weak: Weak = frozenset()) -> Histories:
    history = Histories()
    history.weak, history.counts, history.longest = weak, Counter(), {}
    history.begin(frozenset())
    return history


def _owners(history: Histories) -> dict[str, str]:
    audible = history.cluster.network.audible().items()
    return {address: "and".join(nodes) for (address, *_), nodes in audible}


MOVED_SINCE: list[Step] = [
    (("prefers", "a", "n1"), 20),
    (("prefers", "a", "n0"), 20),
    (("backup is made",), 0),
    (("prefers", "a", "n1"), 20),
    (("is held", "n1", "read"), 0),
]
"""Address a was moved after the backup, and its owner will not hear that it was restored.

In the backup n0 is granted it freely, since it has come back from n1.
"""


def hung_after(ticks: int) -> list[Step]:
    """That owner hangs so long after the backup was restored: it cannot yield then."""
    return [*MOVED_SINCE, (("backup is restored",), ticks), (("is held", "n1", "turn"), 6)]


MOMENTS = range(40, 56)
"""Ticks after which the address may be taken again by whom the backup grants it to."""


@pytest.mark.parametrize("ticks", MOMENTS)
def test_a_restored_backup_gives_no_address_to_two(ticks: int) -> None:
    assert replayed(hung_after(ticks)) > 0


def test_who_trusts_a_restored_backup_is_found_out() -> None:
    faults = (_fault(hung_after(ticks)) for ticks in MOMENTS)
    assert any("n0 and n1 answer for 10.1.1.1" in fault for fault in faults)


def _fault(steps: list[Step]) -> str:
    try:
        replayed(steps, weak=frozenset({"restore"}))
    except AssertionError as error:
        return str(error)
    return ""
