"""HOST:PORT: read alike by both programs, and written as it was read."""

import pytest

from duravip_runtime.settings import parse_endpoint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("operator.svc:7946", ("operator.svc", 7946)),
        ("op-0.example:0", ("op-0.example", 0)),
    ],
)
def test_an_endpoint_is_written_as_it_was_read(text: str, found: tuple[str, int]) -> None:
    assert parse_endpoint(text) == found
    assert str(parse_endpoint(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "host", ":80", "::1:80", "host:65536", "host:x", "[host]:80", "[10.1.1.1]:80", "a b:80",
     "host:\u0665"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PORT"):
        parse_endpoint(text)


def test_only_names_need_a_look_up() -> None:
    endpoints = [parse_endpoint(text) for text in ("10.0.0.1:1", "[fd00::1]:1", "operator:1")]
    assert [one.is_numeric for one in endpoints] == [True, True, False]
