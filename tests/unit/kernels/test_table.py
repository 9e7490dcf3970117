"""What is printed of the checks in virtual machines, and what counts as wrong."""

from kernels.machine import Result
from kernels.table import table, wrongs

CARD = "kernels/guest/cards.py::test_it_is_heard[vlan-on-bond]"
DOCTOR = "kernels/guest/cards.py::test_the_doctor_speaks[--node-local]"
FENCE = "netns/test_fence.py::test_it_is_mute[arp]"


def test_there_is_a_line_for_each_card_and_each_other_file() -> None:
    old = [Result(CARD, "passed", ""), Result(DOCTOR, "passed", ""), Result(FENCE, "failed", "")]
    lines = table({"6.1": old, "6.12": [Result(CARD, "passed", "")]}).splitlines()
    assert [line.split() for line in lines] == [
        ["checks", "passed", "of", "Linux", "6.1", "Linux", "6.12"],
        ["card:", "vlan-on-bond", "1/1", "1/1"],
        ["machine", "1/1", "0/0"],
        ["netns/test_fence.py", "0/1", "0/0"],
    ]


def test_what_has_failed_or_was_skipped_is_wrong_and_so_is_a_kernel_without_checks() -> None:
    results = [Result(CARD, "passed", ""), Result(FENCE, "skipped", "it says why")]
    assert not list(wrongs({"6.1": results[:1]}))
    assert list(wrongs({"6.1": results, "6.12": []})) == [
        f"Linux 6.1: skipped: {FENCE}\nit says why",
        "Linux 6.12: not one check was run",
    ]
