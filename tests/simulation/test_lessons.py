"""Histories that once showed a hole, or something that is not as it should be."""

from typing import Any

import pytest

from simulation.histories.machine import replayed

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
}


@pytest.mark.parametrize("steps", LESSONS.values(), ids=LESSONS)
def test_what_once_was_wrong_is_right(steps: list[Step]) -> None:
    assert replayed(steps) > 0


@pytest.mark.parametrize("ticks", range(62, 70))
def test_an_edit_between_the_two_steps_of_a_hand_over_fails_no_pass(ticks: int) -> None:
    edit = ("gets another address", "d", "fd00:1::64:5")
    assert replayed([(("crashes", "n0"), ticks), (edit, 1)], hidden="eth1") > 0
