"""Who may speak for whom: a pair of X25519 keys for each start of a program, pairwise signatures.

Every agent and every replica of the operator makes a key pair when it starts, keeps the private
key in memory and publishes the public one through the API server: an agent in the status of its
own NodePlumbing, which nobody else may write, a replica in its Lease, from where the leader writes
it into the spec of every NodePlumbing. Any two of them can so derive keys that they alone know,
one for each direction:

    key = BLAKE2b(sender's name, public key; receiver's name, public key),
          keyed with X25519(own private key, the other's public key)

The names are in it so that a public key which somebody publishes as his own, and is another's,
gives other keys. A replica of the operator has no name: it is known by its public key.

    bytes 0-1   "DV"
          2     version of this header: 1
          3     tag of the datagram
          4-11  which key: computed from names and public keys alone, so that what nobody we know
                can have sent is dropped before anything is hashed
         12-27  BLAKE2b of all the rest, keyed
         28-    body, see `beats`
"""

import hmac
import os
from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import NamedTuple, Self, cast

from duravip_api.heartbeat import (
    DIGEST_BYTES,
    FORMATS,
    KINDS_BY_TAG,
    MAX_BYTES,
    AnyDatagram,
    decode_body,
    encode_body,
)
from duravip_runtime import x25519

OPERATOR = ""
"""The name of every replica of the operator: no node is called so."""

MAGIC = b"DV"
VERSION = 1
KEY_ID_BYTES = 8
HEADER_BYTES = 4 + KEY_ID_BYTES + DIGEST_BYTES


class Party(NamedTuple):
    """One end of a channel."""

    name: str
    """The node's; `OPERATOR` for a replica of the operator."""
    public_key: str


class Direction(NamedTuple):
    """What one end signs with, and the other one checks."""

    key_id: bytes
    key: bytes


class Channel(NamedTuple):
    """What two ends share: the keys of both directions."""

    outgoing: Direction
    incoming: Direction

    def sealed(self, datagram: AnyDatagram) -> bytes:
        """Turn a datagram into bytes that only the other end takes."""
        tag = FORMATS[type(datagram)].tag
        head = MAGIC + bytes((VERSION, tag)) + self.outgoing.key_id
        body = encode_body(datagram)
        return head + _signature(head, body, self.outgoing.key) + body

    def is_signed(self, data: bytes) -> bool:
        """Whether the other end has signed it."""
        head, body = data[: HEADER_BYTES - DIGEST_BYTES], data[HEADER_BYTES:]
        signature = data[HEADER_BYTES - DIGEST_BYTES : HEADER_BYTES]
        return hmac.compare_digest(signature, _signature(head, body, self.incoming.key))

    def opened(self, data: bytes) -> AnyDatagram | None:
        """Read a datagram; None when the other end has not signed it, or it is not valid."""
        if key_id_of(data) != self.incoming.key_id or not self.is_signed(data):
            return None
        return content_of(data)


class KeyPair:
    """The keys of one start of a program. The private one never leaves its memory."""

    def __init__(self, private: bytes) -> None:
        self._x25519, self._private = x25519.available(), private
        self.public_key = b64encode(self._x25519.public_key(private)).decode()

    @classmethod
    def generate(cls) -> Self:
        """New keys."""
        return cls(os.urandom(x25519.BYTES))

    @classmethod
    def from_secret(cls, secret: str) -> Self:
        """Those that another process of the same program has."""
        return cls(b64decode(secret))

    @property
    def secret(self) -> str:
        """The private key, for another process of the same program: through a pipe only."""
        return b64encode(self._private).decode()

    def channel(self, own_name: str, peer: Party) -> Channel:
        """What we share with somebody; raises ValueError when the public key is none."""
        public = b64decode(peer.public_key, validate=True)
        shared = self._x25519.exchange(self._private, public)
        us = Party(own_name, self.public_key)
        return Channel(_direction(us, peer, shared), _direction(peer, us, shared))


def key_id(sender: Party, receiver: Party) -> bytes:
    """Which key a datagram from the one to the other is signed with."""
    content = _transcript(sender, receiver)
    return blake2b(content, digest_size=KEY_ID_BYTES, person=b"duravip key id").digest()


def key_id_of(data: bytes) -> bytes | None:
    """Which key it says that it is signed with; None: it is not of this form."""
    if not HEADER_BYTES < len(data) <= MAX_BYTES or data[:2] != MAGIC or data[2] != VERSION:
        return None
    return data[4 : 4 + KEY_ID_BYTES]


def content_of(data: bytes) -> AnyDatagram | None:
    """The datagram in bytes whose signature was checked; None when it is not valid."""
    kind = KINDS_BY_TAG.get(data[3])
    return cast(AnyDatagram | None, kind and decode_body(kind, data[HEADER_BYTES:]))  # type: ignore[type-var]


def _direction(sender: Party, receiver: Party, shared: bytes) -> Direction:
    content = _transcript(sender, receiver)
    key = blake2b(content, key=shared, digest_size=32, person=b"duravip pairwise").digest()
    return Direction(key_id(sender, receiver), key)


def _transcript(*parties: Party) -> bytes:
    """Names and public keys, each with its length: no two lists of parties look alike."""
    parts = [part.encode() for party in parties for part in party]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _signature(head: bytes, body: bytes, key: bytes) -> bytes:
    return blake2b(head + body, key=key, digest_size=DIGEST_BYTES).digest()
