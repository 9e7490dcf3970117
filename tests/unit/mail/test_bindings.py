"""Files with Bindings and rules: what is wrong with one entry harms no other."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from duravip_mail.bindings import (
    BindingsFile,
    parse_binding_options,
    parse_bindings,
    parse_rules,
    write_bindings,
)
from duravip_mail.core.assigning import AssignRule
from duravip_mail.core.world import MailBinding

FULL = MailBinding(
    "a", "fd00::1", "g", is_suspended=True, is_broken=True, is_managed=False,
    aliases=("old",), listeners=("fd00::2",),
)  # fmt: skip


def parsed(*entries: Any) -> tuple[tuple[MailBinding, ...], list[str]]:
    return parse_bindings(json.dumps(entries).encode())


def test_every_field_is_read_and_addresses_become_canonical() -> None:
    entry = {
        "name": "a", "address": "FD00::0:1", "group": "g", "suspended": True, "broken": True,
        "managed": False, "aliases": ["old"], "listeners": ["FD00::0:2"],
    }  # fmt: skip
    assert parsed(entry) == ((FULL,), [])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path, bindings = tmp_path / "bindings.json", (FULL, MailBinding("b"))
    assert write_bindings(path, bindings)
    assert BindingsFile(path).read() == bindings
    assert not write_bindings(path, bindings)
    assert write_bindings(path, ())
    assert BindingsFile(path).read() == ()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "name ''"),
        ({"name": "A"}, "name 'A'"),
        ({"name": "default"}, "name 'default'"),
        ({"name": "#mmove"}, "name '#mmove'"),
        ({"name": "a/b"}, "name 'a/b'"),
        ({"name": "a" * 254}, "name 'aaa"),
        ({"name": 1}, "name must be a text"),
        ({"name": "a", "suspended": 1}, "suspended must be a truth value"),
        ({"name": "a", "address": "10.1.1"}, "address of a:"),
        ({"name": "a", "aliases": "b"}, "aliases must be a list of texts"),
        ({"name": "a", "listeners": [1]}, "listeners must be a list of texts"),
        ({"name": "a", "aliases": ["B"]}, "name 'B'"),
        ({"name": "a", "listeners": ["b"]}, "listeners of a:"),
        ({"name": "a", "adress": "10.1.1.1"}, "there is no field 'adress'"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_and_the_others_count(
    entry: dict[str, Any], problem: str
) -> None:
    found, problems = parsed(entry, {"name": "good"})
    assert found == (MailBinding("good"),)
    (said,) = problems
    assert said.startswith("entry 1 is ignored: ")
    assert problem in said


def test_a_name_with_two_addresses_is_broken() -> None:
    found, problems = parsed(
        {"name": "a", "address": "10.1.1.1"}, {"name": "a", "address": "10.1.1.2"}
    )
    assert found == (MailBinding("a", "10.1.1.1", is_broken=True),)
    assert problems == ["binding a has two addresses: its mail waits"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_list_of_objects_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_bindings(content)


def test_a_file_is_read_again_when_it_changes_and_kept_when_it_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bindings.json"
    file = BindingsFile(path)
    with caplog.at_level(logging.WARNING):
        assert file.read() == ()
        path.write_text('[{"name": "a"}]')
        assert file.read() == (MailBinding("a"),)
        path.write_text('[{"name": "b"}, {}]')
        os.utime(path, (1, 1))
        assert file.read() == file.read() == (MailBinding("b"),)
        path.write_text("no list")
        assert file.read() == file.read() == (MailBinding("b"),)
        path.unlink()
        assert file.read() == (MailBinding("b"),)
    said = [record.message.partition(": ")[2] for record in caplog.records]
    assert [text.partition(":")[0] for text in said] == [
        "there is none yet", "entry 2 is ignored", "Expecting value", "there is none yet",
    ]  # fmt: skip


def test_rules_are_read_in_order() -> None:
    content = b'[{"sender": "@x.example", "binding": "a"}, {"user": "me", "group": "g"}]'
    assert parse_rules(content) == (
        AssignRule("a", sender="@x.example"),
        AssignRule(group="g", user="me"),
    )


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({}, "rule 1: must have binding or group, and not both"),
        ({"binding": "a", "group": "g"}, "rule 1: must have binding or group, and not both"),
        ({"binding": "a", "sendr": "x"}, "rule 1: there is no field 'sendr'"),
        ({"binding": "a", "user": 1}, "rule 1: user must be a text"),
    ],
)
def test_a_wrong_rule_is_named_with_its_field(rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_rules(json.dumps([rule]).encode())


def test_options_of_single_bindings_are_parameters_of_postfix() -> None:
    content = (
        b'{"a": {"helo": "mx.example", "postfix": {"smtp_tls_security_level": "may"}}, "b": {}}'
    )
    assert parse_binding_options(content) == {
        "a": ("smtp_helo_name=mx.example", "smtp_tls_security_level=may"),
        "b": (),
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "it must be a JSON object"),
        ('{"A": {}}', "name 'A'"),
        ('{"a": []}', "a must be an object with helo, postfix"),
        ('{"a": {"hello": "x"}}', "a must be an object with helo, postfix"),
        ('{"a": {"helo": 1}}', "smtp_helo_name of a must be a text"),
        ('{"a": {"helo": "x\\ny"}}', "smtp_helo_name of a must be a text of one line"),
        ('{"a": {"postfix": {"a b": "c"}}}', "postfix of a: 'a b' is no parameter"),
        ('{"a": {"postfix": {"b": "c } -o d=e"}}}', "b of a must be a text of one line, without"),
        ('{"a": {"postfix": {"b": ""}}}', "b of a must be a text"),
        ('{"a": {"postfix": "b"}}', "postfix of a must be an object"),
        ("[" * 100000, "nested too deeply"),
    ],
)
def test_wrong_options_are_named_with_their_binding(content: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_binding_options(content.encode())
