"""One installation leads a cluster, whatever their namespaces."""

import pytest

from duravip_operator.leadership.lease_rule import LeaseRecord, yields_to


def lease(
    version: int, holder: str = "one", acquired: str = "2026-01-01T00:00:00Z"
) -> LeaseRecord:
    return LeaseRecord(holder=holder, acquired=acquired, version=str(version))


def test_alone_there_is_nobody_to_give_way_to() -> None:
    assert yields_to({"a": lease(1)}, {"a": lease(2)}, "a") == ""
    assert yields_to({}, {}, "a") == ""


def test_whoever_is_not_established_gives_way_to_a_living_one() -> None:
    assert yields_to({"b": lease(1)}, {"b": lease(2)}, "a") == "b"


@pytest.mark.parametrize(
    ("before", "after"),
    [(lease(1), lease(1)), (lease(1, ""), lease(2, ""))],
    ids=["not renewed", "given back"],
)
def test_a_lease_that_nobody_keeps_is_nobody(before: LeaseRecord, after: LeaseRecord) -> None:
    assert yields_to({"b": before}, {"b": after}, "a") == ""


def test_one_look_proves_nothing() -> None:
    assert yields_to({}, {"b": lease(2)}, "a") == ""


def test_of_two_that_lead_the_later_one_gives_way() -> None:
    before = {"a": lease(1), "b": lease(1)}
    after = {"a": lease(2), "b": lease(2, acquired="2026-01-01T00:00:01Z")}
    assert yields_to(before, after, "a") == ""
    assert yields_to(before, after, "b") == "a"


def test_of_two_of_one_moment_exactly_one_gives_way() -> None:
    before, after = {"a": lease(1), "b": lease(1)}, {"a": lease(2), "b": lease(2)}
    assert [yields_to(before, after, "a"), yields_to(before, after, "b")] == ["", "a"]
