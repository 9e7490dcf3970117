"""What the leader publishes of its settings and quarantines, and what is read from it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_operator.core import lease_annotations
from duravip_operator.core.lease_annotations import (
    MAX_ANNOTATION_CHARS,
    QUARANTINE_ANNOTATION,
    SETTINGS_ANNOTATION,
)

TOLD = lease_annotations.format_settings({"maxAliases": 4, "fencing": "Strict", "mature": 5.0})
UNTIL = "2026-01-01T00:05:00Z"


def lease(quarantine: str, settings: str = TOLD) -> dict[str, str]:
    return {SETTINGS_ANNOTATION: settings, QUARANTINE_ANNOTATION: quarantine}


def test_what_is_published_is_read_again() -> None:
    given_up = {"10.1.1.1": {"n1"}, "10.1.1.2": {"n1", "n2"}, "fd00::1": {"n1"}}
    frozen = {address: frozenset(nodes) for address, nodes in given_up.items()}
    until = {("10.1.1.2", "n2"): UNTIL}
    found = lease_annotations.parse_lease(
        lease(lease_annotations.format_quarantine(frozen, until, {"n9"}))
    )
    assert found
    assert (found.max_aliases, found.fencing, found.untrusted) == (4, "Strict", {"n9"})
    assert found.is_complete
    again, when = found.quarantined([*given_up, "10.1.1.3", "10.1.1.0", "fd00::2"])
    assert again == frozen
    assert when["10.1.1.2", "n2"] == UNTIL


def test_thousands_that_follow_each_other_are_one_range() -> None:
    many = {f"10.1.{n // 256}.{n % 256}": frozenset({"n1"}) for n in range(5120)}
    text = lease_annotations.format_quarantine(many, {}, ())
    assert len(text) < 200
    found = lease_annotations.parse_lease(lease(text))
    assert found
    assert found.quarantined(many)[0] == many


def test_the_size_is_bounded_and_what_is_cut_says_so() -> None:
    scattered = {
        f"10.{n // 100}.{n % 100}.{2 * i}": frozenset({f"n{n}"})
        for n in range(300)
        for i in range(5)
    }
    text = lease_annotations.format_quarantine(scattered, {}, [f"node-{n}" for n in range(1000)])
    assert len(text) < 20_000
    found = lease_annotations.parse_lease(lease(text))
    assert found
    assert not found.is_complete


def test_a_range_that_covers_everything_costs_nothing() -> None:
    item = {"node": "n1", "until": "", "addresses": ["::-ffff::", "0.0.0.0-255.255.255.255"]}
    text = json.dumps({"givenUp": [item], "distrusted": [], "isComplete": True})
    found = lease_annotations.parse_lease(lease(text))
    assert found
    assert found.quarantined(["10.1.1.1"])[0] == {"10.1.1.1": frozenset({"n1"})}


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "{}", "[" * 50_000, '{"givenUp": [1], "distrusted": [], "isComplete": true}',
     "x" * (MAX_ANNOTATION_CHARS + 1)],
)  # fmt: skip
def test_what_cannot_be_read_is_as_if_it_were_not_there(text: str) -> None:
    assert lease_annotations.parse_lease(lease(text)) is None
    assert (
        lease_annotations.parse_lease(lease(lease_annotations.format_quarantine({}, {}, ()), text))
        is None
    )
    assert lease_annotations.parse_lease({}) is None


SCALARS = st.none() | st.booleans() | st.integers() | st.text()


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["node", "until", "addresses", "givenUp"])
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


@given(st.recursive(SCALARS, nested))
def test_any_json_is_read_or_refused(value: Any) -> None:
    lease_annotations.parse_lease(lease(json.dumps(value)))
    whole = {"givenUp": value, "distrusted": value, "isComplete": value}
    lease_annotations.parse_lease(lease(json.dumps(whole)))
