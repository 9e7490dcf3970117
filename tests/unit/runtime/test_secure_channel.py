"""Pairwise keys: two ends understand each other, and nobody else does."""

from base64 import b64encode

import pytest

from duravip_api.heartbeat import Ack, Heartbeat, encode
from duravip_runtime.secure_channel import (
    HEADER_BYTES,
    OPERATOR,
    Channel,
    KeyPair,
    Party,
    key_id_of,
)

BEAT = Heartbeat("n1", "boot-1", 7, 3, "digest")
N1, N2, REPLICA, OTHER = (KeyPair.generate() for _ in range(4))


def between(one: tuple[str, KeyPair], other: tuple[str, KeyPair]) -> tuple[Channel, Channel]:
    """The channel between two, as each end makes it from the public key of the other one."""
    (a, keys), (b, others) = one, other
    return (
        keys.channel(a, Party(b, others.public_key)),
        others.channel(b, Party(a, keys.public_key)),
    )


AGENT_END, OPERATOR_END = between(("n1", N1), (OPERATOR, REPLICA))


def test_both_ends_derive_the_same_keys() -> None:
    assert OPERATOR_END.opened(AGENT_END.sealed(BEAT)) == BEAT
    ack = Ack("boot-1", 7, leader=True, epoch=1, generation=3)
    assert AGENT_END.opened(OPERATOR_END.sealed(ack)) == ack


def test_two_agents_derive_a_key_as_well() -> None:
    first, second = between(("n1", N1), ("n2", N2))
    assert second.opened(first.sealed(BEAT)) == BEAT


def test_each_direction_has_its_own_key() -> None:
    assert AGENT_END.opened(AGENT_END.sealed(BEAT)) is None
    assert AGENT_END.outgoing.key != AGENT_END.incoming.key


@pytest.mark.parametrize(
    "end",
    [
        between(("n2", N2), (OPERATOR, REPLICA))[1],
        between(("n1", N1), (OPERATOR, OTHER))[1],
        between(("n2", N1), (OPERATOR, REPLICA))[1],
        between(("n1", N1), ("n2", N2))[1],
    ],
    ids=["another node", "another replica", "its key under another name", "another agent"],
)
def test_nobody_else_takes_it(end: Channel) -> None:
    data = AGENT_END.sealed(BEAT)
    assert end.opened(data) is None
    assert not end.is_signed(data)


def test_every_byte_counts() -> None:
    data = AGENT_END.sealed(BEAT)
    for at in range(len(data)):
        spoiled = bytearray(data)
        spoiled[at] ^= 1
        assert OPERATOR_END.opened(bytes(spoiled)) is None


@pytest.mark.parametrize("data", [b"", b"DV\1\1", b"DV\1\1" + b"x" * 24, b"x" * 1400, b"y" * 2000])
def test_what_has_another_form_is_nothing(data: bytes) -> None:
    assert key_id_of(data) in {None, b"x" * 8}
    assert OPERATOR_END.opened(data) is None


def test_what_is_signed_as_older_versions_did_is_nothing() -> None:
    assert key_id_of(encode(BEAT, (b"k" * 32,))) is None


@pytest.mark.parametrize("tag", [0, 5, 255])
def test_an_unknown_tag_is_nothing_though_it_is_signed(tag: int) -> None:
    data = bytearray(AGENT_END.sealed(BEAT))
    data[3] = tag
    key = OPERATOR_END.incoming.key
    resigned = _signed_again(bytes(data), key)
    assert OPERATOR_END.is_signed(resigned)
    assert OPERATOR_END.opened(resigned) is None


def _signed_again(data: bytes, key: bytes) -> bytes:
    from hashlib import blake2b  # noqa: PLC0415 - as the format says, without our code

    head, body = data[:12], data[HEADER_BYTES:]
    return head + blake2b(head + body, key=key, digest_size=16).digest() + body


@pytest.mark.parametrize(
    "public_key",
    ["", "nonsense", "ü", b64encode(b"short").decode(), b64encode(bytes(32)).decode()],
    ids=["none", "no base64", "no ascii", "too short", "a point of low order"],
)
def test_what_is_no_public_key_is_refused(public_key: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        N1.channel("n1", Party(OPERATOR, public_key))


def test_another_process_of_the_same_program_goes_on_with_the_same_keys() -> None:
    again = KeyPair.from_secret(REPLICA.secret)
    assert again.public_key == REPLICA.public_key
    end = again.channel(OPERATOR, Party("n1", N1.public_key))
    assert end == OPERATOR_END
