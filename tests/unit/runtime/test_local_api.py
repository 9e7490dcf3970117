"""The local API's lines: what is written is read again, and nothing else is."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_runtime.local_api import (
    ServedAddress,
    ServedChange,
    ServedSnapshot,
    WireError,
    applied,
    canonical,
    decode,
    difference,
    encode_change,
    encode_snapshot,
)

A = ServedAddress("10.1.1.1", "eth1", "2026-11-30T10:00:00Z")
B = ServedAddress("fd00::1", "eth1", "2026-11-30T10:00:01Z")
NOW = ServedSnapshot("n1", "boot", 4, contact=True, served={A.address: A})

entries = st.builds(
    ServedAddress,
    st.ip_addresses().map(lambda address: canonical(str(address).partition("%")[0])),
    st.text(max_size=15),
    st.text(max_size=20),
)
sets = st.lists(entries, unique_by=lambda entry: entry.address).map(
    lambda found: {entry.address: entry for entry in found}
)


def test_a_snapshot_and_a_change_are_written_as_documented() -> None:
    entry = {"address": "10.1.1.1", "interface": "eth1", "since": "2026-11-30T10:00:00Z"}
    head = {"node": "n1", "boot": "boot", "revision": 4, "contact": True}
    assert json.loads(encode_snapshot(NOW)) == {**head, "served": [entry]}
    change = json.loads(encode_change(ServedChange(5, (B,), (A,))))
    assert change == {"revision": 5, "gained": [B._asdict()], "lost": [A._asdict()]}
    assert json.loads(encode_change(ServedChange(5))) == {"revision": 5}


def test_addresses_are_in_order() -> None:
    found = {a: ServedAddress(a, "eth1", "") for a in ("fd00::1", "10.1.1.10", "10.1.1.9")}
    line = json.loads(encode_snapshot(ServedSnapshot("n1", "boot", served=found)))
    assert [e["address"] for e in line["served"]] == ["10.1.1.9", "10.1.1.10", "fd00::1"]


@given(sets, st.text(), st.booleans(), st.integers(0, 2**60))
def test_what_is_written_is_read_again(
    served: dict[str, ServedAddress], name: str, contact: bool, revision: int
) -> None:
    snapshot = ServedSnapshot(name, name, revision, contact, served)
    assert decode(encode_snapshot(snapshot)) == snapshot
    change = ServedChange(revision, tuple(served.values()), tuple(served.values()))
    assert decode(encode_change(change)) == change
    assert encode_snapshot(snapshot).count(b"\n") == encode_change(change).count(b"\n") == 1


@given(sets, sets)
def test_a_difference_leads_from_one_snapshot_to_the_other(
    before: dict[str, ServedAddress], after: dict[str, ServedAddress]
) -> None:
    first, second = (
        ServedSnapshot("n1", "a", 0, served=before),
        ServedSnapshot("n1", "b", 1, served=after),
    )
    change = difference(first, second)
    reached = first if change.is_empty else applied(first, change)
    where = {address: entry.interface for address, entry in reached.served.items()}
    assert where == {address: entry.interface for address, entry in after.items()}


def test_an_address_on_another_interface_is_lost_and_gained() -> None:
    moved = A._replace(interface="eth2")
    after = ServedSnapshot("n1", "boot", 5, served={A.address: moved})
    assert difference(NOW, after) == ServedChange(5, (moved,), (A,))
    assert applied(NOW, ServedChange(5, (moved,), (A,))).served == {A.address: moved}


@pytest.mark.parametrize(
    "change", [ServedChange(6, (B,)), ServedChange(4, (B,)), ServedChange(5), ServedChange(3)]
)
def test_a_gap_is_found(change: ServedChange) -> None:
    with pytest.raises(WireError, match=r"revision \d came, where \d should"):
        applied(NOW, change)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "cut off"),
        (b"{\n", "no JSON"),
        (b"[" * 100_000 + b"\n", "no JSON"),
        (b"\xff\n", "no JSON"),
        (b"[]\n", "no JSON object"),
        (b"{}\n", "'revision' is no int"),
        (b'{"revision": true}\n', "'revision' is no int"),
        (b'{"revision": 1, "gained": {}}\n', "'gained' is no list"),
        (b'{"revision": 1, "gained": [1]}\n', "an entry is no JSON object"),
        (b'{"revision": 1, "lost": [{"address": "x", "interface": "eth1"}]}\n', "'x'"),
        (b'{"revision": 1, "lost": [{"address": "10.1.1.1"}]}\n', "'interface' is no str"),
        (b'{"revision": 1, "served": []}\n', "'node' is no str"),
    ],
)
def test_anything_else_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode(line)


@given(st.binary(max_size=200))
def test_no_line_makes_it_fail_otherwise(line: bytes) -> None:
    with contextlib.suppress(WireError):
        decode(line + b"\n")


@pytest.mark.parametrize(
    ("spelled", "as_here"),
    [("FD00:0:0::01", "fd00::1"), ("10.1.1.1", "10.1.1.1"), ("::ffff:10.1.1.1", None)],
)
def test_addresses_are_spelled_in_one_way(spelled: str, as_here: str | None) -> None:
    assert canonical(canonical(spelled)) == canonical(spelled)
    assert as_here is None or canonical(spelled) == as_here


@pytest.mark.parametrize(
    "nonsense", ["", "10.1.1", "10.1.1.1/32", "fe80::1%eth0", "fd00::g", "n1"]
)
def test_what_is_no_address_is_refused(nonsense: str) -> None:
    with pytest.raises(ValueError, match="address"):
        canonical(nonsense)
