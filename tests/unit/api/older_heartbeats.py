"""The wire format of older versions, word for word: what old agents and operators send and take.

A datagram is a 16-byte keyed BLAKE2b digest of what follows, then JSON. A key file holds one key
a line: the first one signs, all of them are accepted, so that a key can be changed without a gap.
"""

import hmac
import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

DIGEST_BYTES = 16
MAX_BYTES = 1400
SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class Beat:
    """Sent by an agent every 100 ms to every replica of the operator."""

    node: str
    boot: str
    """A new value each time that the agent starts."""
    seq: int
    """Counts up from 1 within one boot: a datagram that does not is a replay."""
    generation: int
    """The generation of the NodePlumbing spec that the agent acts on; 0 = none yet."""
    digest: str
    """What it serves, as `digest_of` gives it."""
    echoes: tuple[str, ...] = ()
    """The tokens of the replicas that have answered it, the newest last: at most 8."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Sent back by the leader, and now and then by every other replica.

    And again, unasked, when the leader has changed the spec.
    """

    boot: str
    seq: int
    """Those of the beat that is answered."""
    leader: bool
    """Whether the sender leads; only then do the next two fields count."""
    epoch: int
    generation: int
    """The generation of the node's spec as the sender knows it; 0 = not known."""
    token: str = ""
    """What the sender made up when it began to listen. A beat that does not echo it may be one of
    a dead node, recorded and sent again: it is answered, and not heard."""


@dataclass(frozen=True, slots=True)
class Look:
    """Sent by a replica to an agent, a scout: ask on your segment whether these answer."""

    scout: str
    """The node that is asked."""
    boot: str
    """That of the scout's agent, as in its beats."""
    number: int
    """Which look this is; counts up in one replica's life."""
    suspect: str
    interface: str
    addresses: tuple[str, ...]
    """At most 8."""
    macs: tuple[str, ...]
    """The suspect's own there: an answer from another one is not its answer. Empty: any."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Sent back by the scout."""

    scout: str
    number: int
    """That of the look."""
    suspect: str
    interface: str
    verdict: str
    """`answering`, `silent`, or `unknown`: it could not ask."""
    heard_ago: float = -1.0
    """Seconds since this scout last heard the suspect answer there; -1 = not that it remembers."""


_compact = json.JSONEncoder(separators=(",", ":")).encode

Datagram = TypeVar("Datagram", Beat, Ack, Look, Sight)


def digest_of(addresses: frozenset[str]) -> str:
    """A short name for a set of addresses: equal sets, and in practice only those, share it."""
    return blake2b("\n".join(sorted(addresses)).encode(), digest_size=8).hexdigest()


def keys_in(content: str) -> tuple[bytes, ...]:
    """The keys of a key file: one a line, blank lines skipped.

    Raises ValueError when there is none, or one has fewer than 16 characters.
    """
    keys = tuple(line.strip().encode() for line in content.splitlines() if line.strip())
    if not keys:
        raise ValueError("there is no key in it")
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"a key has fewer than {SHORTEST_KEY} characters")
    return tuple(blake2b(key).digest() for key in keys)


def sealed(datagram: Beat | Ack | Look | Sight, keys: tuple[bytes, ...]) -> bytes:
    """Turn it into bytes, signed with the first key."""
    kind = type(datagram)
    said = {name: getattr(datagram, name) for name in kind.__dataclass_fields__}
    body = _compact({"is": kind.__name__, **said}).encode()
    return _signature(body, keys[0]) + body


def opened(kind: type[Datagram], data: bytes, keys: tuple[bytes, ...]) -> Datagram | None:
    """Read a datagram; None when no key fits or it is not of this kind."""
    signature, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if not any(hmac.compare_digest(signature, _signature(body, key)) for key in keys):
        return None
    try:
        said = json.loads(body)
        if said["is"] != kind.__name__:
            return None
        fields: Any = {
            name: tuple(said[name]) if isinstance(said[name], list) else said[name]
            for name in kind.__dataclass_fields__
        }
        return kind(**fields)
    except (ValueError, KeyError, TypeError):
        return None


def _signature(body: bytes, key: bytes) -> bytes:
    return blake2b(body, key=key, digest_size=DIGEST_BYTES).digest()
