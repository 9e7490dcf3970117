"""Both ways to X25519 agree with each other and with RFC 7748, section 5.2."""

import os

import pytest

from duravip_runtime.x25519 import X25519, Loaded, Packaged, available

WAYS: list[X25519] = [Loaded(), Packaged()]
NINE = b"\x09" + bytes(31)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: type(way).__name__)
def test_it_is_what_the_rfc_says(way: X25519) -> None:
    """After one iteration (section 5.2); nine is the base point, so this is a public key, too."""
    once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert way.exchange(NINE, NINE).hex() == way.public_key(NINE).hex() == once


def test_both_ways_agree() -> None:
    loaded, packaged = WAYS
    for _ in range(50):
        one, other = os.urandom(32), os.urandom(32)
        assert loaded.public_key(one) == packaged.public_key(one)
        theirs = packaged.public_key(other)
        assert loaded.exchange(one, theirs) == packaged.exchange(one, theirs)
        assert loaded.exchange(one, theirs) == loaded.exchange(other, packaged.public_key(one))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: type(way).__name__)
@pytest.mark.parametrize("public", [b"", b"x" * 31, b"x" * 33, bytes(32)])
def test_what_is_no_key_is_refused(way: X25519, public: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        way.exchange(os.urandom(32), public)


def test_the_library_that_is_loaded_already_is_preferred() -> None:
    assert isinstance(available(), Loaded)
