"""YAML as kubectl reads it, and no more of it than a manifest needs."""

import json
from typing import Any

import pytest

from duravip_cli.manifests import yaml_reader
from duravip_cli.manifests.yaml_reader import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    UnreadableError,
    parse_documents,
)


def value(text: str) -> Any:
    (found,) = parse_documents(text)
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("123", 123), ("010", 8), ("0x1F", 31), ("0b101", 5), ("0o17", 15), ("1_000", 1000),
        ("-7", -7), ("+7", 7), ("25.0", 25), ("1e3", 1000), ("1.5", 1.5), (".5", 0.5),
        ("08", 8), ("1e", "1e"), ("0o9", "0o9"), ("1:30", "1:30"), ("10:20:30", "10:20:30"),
        ("2026-11-29", "2026-11-29"), ("12:00", "12:00"), ("1.2.3", "1.2.3"), ("0", 0),
        ("y", True), ("Yes", True), ("on", True), ("n", False), ("OFF", False), ("yEs", "yEs"),
        ("~", None), ("null", None), ("", None), ("nil", "nil"),
        ('"123"', "123"), ("'y'", "y"), ("!!str 123", "123"), ("!!int 7", 7),
        ("fd00::1", "fd00::1"),
        ("<<", "<<"),
    ],
)  # fmt: skip
def test_words_become_what_kubectl_makes_of_them(text: str, wanted: Any) -> None:
    found = value(f"a: {text}")["a"]
    assert (found, type(found)) == (wanted, type(wanted))


def test_keys_are_text() -> None:
    assert value("{1: a, true: b, x: c, 1.5: d}") == {"1": "a", "true": "b", "x": "c", "1.5": "d"}


def test_aliases_and_merges_stand_for_what_they_name() -> None:
    text = "a: &a {x: 1, w: 2}\nb: {<<: *a, w: 3}\nc: *a\nd: {'<<': 1}\ne: {<<: [*a, {z: 4}]}"
    found = value(text)
    assert found["b"] == {"x": 1, "w": 3}
    assert found["c"] == {"x": 1, "w": 2}
    assert found["d"] == {"<<": 1}
    assert found["e"] == {"x": 1, "w": 2, "z": 4}


def test_several_documents_and_json_are_read() -> None:
    assert list(parse_documents('a: 1\n---\n# nothing\n---\n{"b": [1, "2"]}')) == [
        {"a": 1}, None, {"b": [1, "2"]}]  # fmt: skip


LAUGHS = "\n".join(
    ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 500, "line 1: deeper than 64 levels"),
        ("[" * 100_000, "line 1: "),
        ("a: " + "{b: " * 500, "deeper than"),
        (LAUGHS, "it stands for more than 2000000 values"),
        ("a: &a [*a]", "the anchor 'a' stands for nothing"),
        ("a: *b", "the anchor 'b' stands for nothing"),
        ("---\n" * (MAX_DOCUMENTS + 1), f"more than {MAX_DOCUMENTS} documents"),
        ("x: .inf", "JSON has no number .inf"),
        ("x: !!int y", "cannot be read as !!int"),
        ("{[a]: b}", "a key must be text"),
        ("<<: 1", "what is merged by << must be a mapping"),
        ("a: [", "line 2: did not find expected node content"),
        ("a: \x00", "cannot be read as YAML"),
    ],
    ids=range(13),
)
def test_what_kubectl_would_not_take_or_nobody_needs_is_refused(text: str, said: str) -> None:
    assert len(LAUGHS) < 1000
    with pytest.raises(UnreadableError) as refused:
        list(parse_documents(text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_large_text_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MAX_BYTES", 10)
    with pytest.raises(UnreadableError, match="larger than"):
        list(parse_documents("a: 12345678"))


def test_json_is_read_as_json() -> None:
    body = {"kind": "DuraVIP", "spec": {"address": "10.1.1.1", "services": [{"port": 25}]}}
    assert value(json.dumps(body)) == body
    assert MAX_DEPTH > 10
