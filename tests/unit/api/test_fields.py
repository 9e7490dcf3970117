"""Durations, as objects give them."""

import pytest

from duravip_api.fields import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1s", 1), ("5m", 300), ("1h30m", 5400), ("1m500ms", 60.5), ("0s", 0)],
)
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "-1s", "1.5h", "5 m", "1d", "1s\n", "5m then", "1234567s", "1s" * 5, "٣s"],
)
def test_what_is_no_duration_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
