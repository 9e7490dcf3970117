"""Beats and their acknowledgements: whole, signed, or nothing."""

import pytest

from duravip_api.beats import Ack, Beat, digest_of, keys_in, opened, sealed

BEAT = Beat("n1", "boot-1", 7, 3, digest_of(frozenset({"10.1.1.1"})))
OLD, NEW = keys_in("an-old-key-of-the-cluster\n")[0], keys_in("the-new-key-of-the-cluster")[0]


def test_what_was_sealed_is_opened() -> None:
    assert opened(Beat, sealed(BEAT, (NEW,)), (NEW,)) == BEAT


def test_both_keys_are_accepted_while_a_key_is_changed() -> None:
    assert opened(Beat, sealed(BEAT, (OLD,)), (NEW, OLD)) == BEAT


@pytest.mark.parametrize("spoiled", [b"", b"x" * 15, sealed(BEAT, (OLD,)), b"\0" * 200])
def test_what_no_key_fits_is_nothing(spoiled: bytes) -> None:
    assert opened(Beat, spoiled, (NEW,)) is None


def test_a_changed_bit_is_noticed() -> None:
    data = bytearray(sealed(BEAT, (NEW,)))
    data[-3] ^= 1
    assert opened(Beat, bytes(data), (NEW,)) is None


def test_a_beat_is_no_acknowledgement() -> None:
    assert opened(Ack, sealed(BEAT, (NEW,)), (NEW,)) is None


@pytest.mark.parametrize("content", ["", "\n \n", "short"])
def test_a_key_file_needs_a_key_of_some_length(content: str) -> None:
    with pytest.raises(ValueError, match="key"):
        keys_in(content)


def test_the_digest_does_not_depend_on_order() -> None:
    one, other = frozenset({"10.1.1.1", "10.1.1.2"}), frozenset({"10.1.1.2", "10.1.1.1"})
    assert digest_of(one) == digest_of(other) != digest_of(frozenset())
