"""What an agent says that it serves, when that cannot be read: nobody else may take it then."""

import pytest

from duravip_operator.core import parsing, releases
from duravip_operator.core.snapshot import Plumbing

ADDRESS = "10.1.1.1"


def said(served: object) -> Plumbing:
    """A NodePlumbing whose agent has acted on the spec as it stands."""
    status = {"observedGeneration": 3, "agent": {"version": "1", "boot": "b"}, "served": served}
    return parsing.plumbing({"metadata": {"name": "n1", "generation": 3}, "status": status})


@pytest.mark.parametrize("served", [[ADDRESS, 7], ADDRESS, {ADDRESS: True}, 7])
def test_what_cannot_be_read_is_not_taken_for_nothing(served: object) -> None:
    found = said(served)
    assert not found.has_acted
    before = releases.ReleaseRecord("", 3, frozenset({ADDRESS}))
    known = releases.after_write({"n1": before}, found, found)
    assert known["n1"].may_hold(ADDRESS)


@pytest.mark.parametrize("served", [[], [ADDRESS]])
def test_what_can_be_read_is_believed(served: list[str]) -> None:
    assert said(served).has_acted
    assert said(served).served == frozenset(served)
