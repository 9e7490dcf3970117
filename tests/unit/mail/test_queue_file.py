"""Queue files of Postfix 3.7, kept as it wrote them, and what is no queue file."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_mail.core.queue_file import kept_route

FILES = Path(__file__).with_name("queue_files")
WHOLE = (FILES / "handed-over").read_bytes()


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("delivered-here", "b-foo:"),
        ("handed-over", "mmove:[127.1.1.2]:2526"),
        ("many-recipients", "b-foo:"),
        ("unknown-binding", "retry:4.3.0 no such binding"),
        ("without-binding", ""),
    ],
)
def test_the_route_is_read_as_postfix_has_written_it(name: str, route: str) -> None:
    with (FILES / name).open("rb") as file:
        assert kept_route(file) == route


@pytest.mark.parametrize("content", [b"", b"\0" * 600, b"C\x0fnot numbers ...", b"C\x7f1 2"])
def test_what_is_no_queue_file_has_no_route(content: bytes) -> None:
    assert kept_route(BytesIO(content)) == ""


@given(st.integers(0, len(WHOLE)))
def test_a_file_that_is_still_being_written_has_its_route_or_none(length: int) -> None:
    assert kept_route(BytesIO(WHOLE[:length])) in ("", "mmove:[127.1.1.2]:2526")


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_rubbish_does_no_harm(rubbish: bytes, at: int) -> None:
    kept_route(BytesIO(WHOLE[:at] + rubbish + WHOLE[at:]))


def test_a_route_in_the_content_is_none() -> None:
    forged = b"L\x06b-bar:"
    file = (FILES / "without-binding").read_bytes().replace(b"hello\n", forged[:6], 1)
    assert kept_route(BytesIO(file)) == ""
