"""One installation leads a cluster, whatever their namespaces."""

import pytest

from duravip_operator.leadership.lease_rule import Record
from duravip_operator.leadership.other_installations import rival


def lease(version: int, holder: str = "one", acquired: str = "2026-01-01T00:00:00Z") -> Record:
    return Record(holder=holder, acquired=acquired, version=str(version))


def test_alone_there_is_nobody_to_give_way_to() -> None:
    assert rival({"a": lease(1)}, {"a": lease(2)}, "a") == ""
    assert rival({}, {}, "a") == ""


def test_whoever_is_not_established_gives_way_to_a_living_one() -> None:
    assert rival({"b": lease(1)}, {"b": lease(2)}, "a") == "b"


@pytest.mark.parametrize(
    ("before", "after"),
    [(lease(1), lease(1)), (lease(1, ""), lease(2, ""))],
    ids=["not renewed", "given back"],
)
def test_a_lease_that_nobody_keeps_is_nobody(before: Record, after: Record) -> None:
    assert rival({"b": before}, {"b": after}, "a") == ""


def test_one_look_proves_nothing() -> None:
    assert rival({}, {"b": lease(2)}, "a") == ""


def test_of_two_that_lead_the_later_one_gives_way() -> None:
    before = {"a": lease(1), "b": lease(1)}
    after = {"a": lease(2), "b": lease(2, acquired="2026-01-01T00:00:01Z")}
    assert rival(before, after, "a") == ""
    assert rival(before, after, "b") == "a"


def test_of_two_of_one_moment_exactly_one_gives_way() -> None:
    before, after = {"a": lease(1), "b": lease(1)}, {"a": lease(2), "b": lease(2)}
    assert [rival(before, after, "a"), rival(before, after, "b")] == ["", "a"]
