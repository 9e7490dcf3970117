"""What is written as YAML is read back by kubectl's rules as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_cli.manifests.yaml_reader import parse_documents
from duravip_cli.manifests.yaml_writer import format_documents

WORDS = ["y", "no", "1e3", "10:20", "0x1f", "2026-01-01", "~", "", "<<", ".5", "1_000", "10.1.1.1",
         "fd00::1", "a: b", "#", "\x1b[31m"]  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_words_that_look_like_something_else_stay_text(text: str) -> None:
    assert list(parse_documents(format_documents([{text: text}]))) == [{text: text}]


@given(
    st.dictionaries(st.text(max_size=9), st.text(max_size=99) | st.integers(-99, 99), max_size=3)
)
def test_whatever_is_written_is_read_back(value: dict[str, object]) -> None:
    assert list(parse_documents(format_documents([value, [value]]))) == [value, [value]]
