"""Beats and their acknowledgements: whole, of the right types, signed, or nothing."""

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.heartbeat import (
    FORMATS,
    KINDS_BY_TAG,
    Ack,
    AnyDatagram,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    address_digest,
    decode_any,
    decode_body,
    encode,
    encode_body,
    parse_keys,
)
from unit.api import older_heartbeats as old

BEAT = Heartbeat("n1", "boot-1", 7, 3, address_digest(frozenset({"10.1.1.1"})), ("t1", "t2"))
ACK = Ack("boot-1", 7, leader=True, epoch=2, generation=3, token="t1")  # noqa: S106
LOOK = ProbeRequest("n1", "boot-1", 9, "n2", "eth1", ("10.1.1.2",), ("02:00:00:00:00:02",))
SIGHT = ProbeReport("n1", 9, "n2", "eth1", "answering", 0.25)
ALL: tuple[AnyDatagram, ...] = (BEAT, ACK, LOOK, SIGHT)
OLD, NEW = (
    parse_keys("an-old-key-of-the-cluster\n")[0],
    parse_keys("the-new-key-of-the-cluster")[0],
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def signed(values: Any, key: bytes = NEW) -> bytes:
    body = json.dumps(values).encode()
    return old._signature(body, key) + body  # noqa: SLF001


def name(kind: AnyDatagram) -> str:
    return type(kind).__name__


@pytest.mark.parametrize("datagram", ALL, ids=name)
def test_what_was_encoded_is_decoded(datagram: AnyDatagram) -> None:
    assert decode_any(encode(datagram, (NEW,)), (NEW,)) == datagram
    assert decode_body(type(datagram), encode_body(datagram)) == datagram


@pytest.mark.parametrize("datagram", ALL, ids=name)
def test_old_and_new_versions_understand_each_other(datagram: AnyDatagram) -> None:
    kind: Any = getattr(old, FORMATS[type(datagram)].name)
    twin: Any = kind(*(getattr(datagram, f.name) for f in fields(kind)))
    both = (old.sealed(twin, (NEW,)), encode(datagram, (NEW,)))
    theirs, ours = (json.loads(data[16:]) for data in both)
    assert theirs.items() <= ours.items()
    assert decode_any(old.sealed(twin, (NEW,)), (NEW,)) == datagram
    assert old.opened(type(twin), encode(datagram, (NEW,)), (NEW,)) == twin


@pytest.mark.parametrize("datagram", ALL, ids=name)
def test_a_field_of_a_newer_version_is_ignored_and_one_of_an_older_version_filled_in(
    datagram: AnyDatagram,
) -> None:
    values = json.loads(encode_body(datagram))
    assert decode_body(type(datagram), json.dumps({**values, "new": [1]}).encode()) == datagram
    for field in fields(datagram):
        less = json.dumps({k: v for k, v in values.items() if k != field.name}).encode()
        found = decode_body(type(datagram), less)
        if field.default is MISSING:
            assert found is None
        else:
            assert getattr(found, field.name) == field.default


def test_tags_are_what_they_were() -> None:
    assert {tag: FORMATS[kind].name for tag, kind in KINDS_BY_TAG.items()} == {
        1: "Beat",
        2: "Ack",
        3: "Look",
        4: "Sight",
    }
    for kind, form in FORMATS.items():
        assert list(form.fields) == [field.name for field in fields(kind)]


WRONG: dict[str, list[Any]] = {
    "node": ["", "n" * 254, "n\x1b[2J", "\ud800", 1, None, ["n1"]],
    "boot": ["", "b" * 65, 7, {}],
    "seq": [0, -1, True, 1.0, "7", None, 2**63],
    "generation": [-1, False, "3", 1e3, 2**64],
    "digest": [1, None, "d" * 65],
    "echoes": ["t1", ["t"] * 9, [1], [[]], {"t": 1}, None],
    "stopped": [0, 1, "true", None],
    "leader": [0, 1, "true", None],
    "epoch": [-1, True, "2", None, 2**63],
    "token": [1, None, "t" * 65],
    "scout": ["", 1, None],
    "number": [-1, True, "9"],
    "suspect": ["", None, ["n2"]],
    "interface": ["", "e" * 16, 3],
    "addresses": ["10.1.1.2", [1], ["1" * 46], ["10.1.1.2"] * 9, None],
    "macs": ["02", [None], ["m" * 65], ["m"] * 9],
    "verdict": ["gone", "", 1, None, ["silent"], {}],
    "heard_ago": [-2, True, "1", None, float("nan"), float("inf"), 1e10],
}


def test_what_is_wrong_is_tried_for_every_field() -> None:
    assert WRONG.keys() == {name for form in FORMATS.values() for name in form.fields}


@pytest.mark.parametrize(
    ("datagram", "field", "value"),
    [
        (datagram, field.name, value)
        for datagram in ALL
        for field in fields(datagram)
        for value in WRONG[field.name]
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_makes_a_datagram_void(
    datagram: AnyDatagram, field: str, value: Any
) -> None:
    values = {"is": name(datagram), **json.loads(encode_body(datagram)), field: value}
    assert decode_any(signed(values), (NEW,)) is None


@given(JSON, st.sampled_from(ALL))
def test_no_json_is_more_than_void(values: Any, datagram: AnyDatagram) -> None:
    assert decode_body(type(datagram), json.dumps(values).encode()) is None
    assert decode_any(signed(values), (NEW,)) is None


@pytest.mark.parametrize("body", [b"[" * 1300, b'{"a":' * 250, b"\xff\xfe", b"1" * 1300, b""])
def test_no_bytes_are_more_than_void(body: bytes) -> None:
    assert decode_body(Heartbeat, body) is None
    assert decode_any(old._signature(body, NEW) + body, (NEW,)) is None  # noqa: SLF001


@pytest.mark.parametrize("tag", [None, 1, [], {}, "Nonsense"])
def test_a_tag_that_is_none_is_void(tag: Any) -> None:
    assert decode_any(signed({"is": tag}), (NEW,)) is None


def test_both_keys_are_accepted_while_a_key_is_changed() -> None:
    assert decode_any(encode(BEAT, (OLD,)), (NEW, OLD)) == BEAT


@pytest.mark.parametrize("spoiled", [b"", b"x" * 15, encode(BEAT, (OLD,)), b"\0" * 200])
def test_what_no_key_fits_is_nothing(spoiled: bytes) -> None:
    assert decode_any(spoiled, (NEW,)) is None


def test_a_changed_bit_is_noticed() -> None:
    data = bytearray(encode(BEAT, (NEW,)))
    data[-3] ^= 1
    assert decode_any(bytes(data), (NEW,)) is None


def test_a_beat_is_no_acknowledgement() -> None:
    assert decode_body(Ack, encode_body(BEAT)) is None


@pytest.mark.parametrize("content", ["", "\n \n", "short"])
def test_a_key_file_needs_a_key_of_some_length(content: str) -> None:
    with pytest.raises(ValueError, match="key"):
        parse_keys(content)


def test_the_digest_does_not_depend_on_order() -> None:
    one, other = frozenset({"10.1.1.1", "10.1.1.2"}), frozenset({"10.1.1.2", "10.1.1.1"})
    assert address_digest(one) == address_digest(other) != address_digest(frozenset())
