"""The datagrams between agents and operators: beats and their acknowledgements, looks and sights.

`FORMATS` is the wire format: the tag of each datagram, the type and the range of each field. The
body is a JSON object. A field that is not known is ignored, and one that has a default may be
missing, so that a version may add fields; whatever else is wrong makes the whole datagram void.

How a datagram is signed stands in `secure_channel`. Here is how older versions signed it,
and do while one of their programs runs: a 16-byte BLAKE2b digest of the
body, keyed with one key that the whole cluster shares. A key file holds one key a line: the first
one signs, all of them are accepted.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from duravip_api.wire_fields import Boolean, Choice, FieldType, Integer, Number, Text, Texts

DIGEST_BYTES = 16
MAX_BYTES = 1400
MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent by an agent every 100 ms to every replica of the operator."""

    node: str
    boot: str
    """A new value each time that the agent starts."""
    seq: int
    """Counts up from 1 within one boot: a datagram that does not is a replay."""
    generation: int
    """The generation of the NodePlumbing spec that the agent acts on; 0 = none yet."""
    digest: str
    """What it serves, as `address_digest` gives it."""
    echoes: tuple[str, ...] = ()
    """The tokens of the replicas that have answered it, the newest last: at most 8."""
    stopped: bool = False
    """Whether it has ended: under this boot nothing will be served again."""


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
class ProbeRequest:
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
class ProbeReport:
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


AnyDatagram = Heartbeat | Ack | ProbeRequest | ProbeReport
Datagram = TypeVar("Datagram", Heartbeat, Ack, ProbeRequest, ProbeReport)


class Format(NamedTuple):
    """How a datagram looks on the wire."""

    tag: int
    """Names it in the header of `secure_channel`. A tag is never given to another datagram."""
    name: str
    """Names it in the body of a datagram that is signed with the key of the whole cluster."""
    fields: Mapping[str, FieldType]


_NODE, _BOOT, _INTERFACE, _ADDRESS = Text(253), Text(64), Text(15), Text(45)

FORMATS: Mapping[type[AnyDatagram], Format] = {
    Heartbeat: Format(
        1,
        "Beat",
        {
            "node": _NODE,
            "boot": _BOOT,
            "seq": Integer(1),
            "generation": Integer(),
            "digest": Text(64, shortest=0),
            "echoes": Texts(8, Text(64)),
            "stopped": Boolean(),
        },
    ),
    Ack: Format(
        2,
        "Ack",
        {
            "boot": _BOOT,
            "seq": Integer(1),
            "leader": Boolean(),
            "epoch": Integer(),
            "generation": Integer(),
            "token": Text(64, shortest=0),
        },
    ),
    ProbeRequest: Format(
        3,
        "Look",
        {
            "scout": _NODE,
            "boot": _BOOT,
            "number": Integer(),
            "suspect": _NODE,
            "interface": _INTERFACE,
            "addresses": Texts(8, _ADDRESS),
            "macs": Texts(8, Text(64)),
        },
    ),
    ProbeReport: Format(
        4,
        "Sight",
        {
            "scout": _NODE,
            "number": Integer(),
            "suspect": _NODE,
            "interface": _INTERFACE,
            "verdict": Choice({"answering", "silent", "unknown"}),
            "heard_ago": Number(-1.0, 1e9),
        },
    ),
}

KINDS_BY_TAG: Mapping[int, type[AnyDatagram]] = {f.tag: kind for kind, f in FORMATS.items()}
_KINDS_BY_NAME = {f.name: kind for kind, f in FORMATS.items()}
_OPTIONAL = {
    kind: frozenset(f.name for f in fields(kind) if f.default is not MISSING) for kind in FORMATS
}

_compact = json.JSONEncoder(separators=(",", ":")).encode


def address_digest(addresses: frozenset[str]) -> str:
    """A short name for a set of addresses: equal sets, and in practice only those, share it."""
    return blake2b("\n".join(sorted(addresses)).encode(), digest_size=8).hexdigest()


def new_boot(public_key: str) -> str:
    """A name for a start of the agent that has this public key; no two are alike."""
    return _mark(public_key) + secrets.token_hex(8)


def is_boot_of(boot: str, public_key: str) -> bool:
    """Whether a start of an agent is of one that has this public key.

    Agents of older versions leave the public key of a newer one in the status that they write.
    """
    return boot.startswith(_mark(public_key))


def _mark(public_key: str) -> str:
    return blake2b(public_key.encode(), digest_size=8, person=b"duravip boot").hexdigest()


def parse_keys(content: str) -> tuple[bytes, ...]:
    """The keys of a key file: one a line, blank lines skipped.

    Raises ValueError when there is none, or one has fewer than 16 characters.
    """
    keys = tuple(line.strip().encode() for line in content.splitlines() if line.strip())
    if not keys:
        raise ValueError("there is no key in it")
    if any(len(key) < MIN_KEY_BYTES for key in keys):
        raise ValueError(f"a key has fewer than {MIN_KEY_BYTES} characters")
    return tuple(blake2b(key).digest() for key in keys)


def encode_body(datagram: AnyDatagram) -> bytes:
    """The body of a datagram."""
    return _compact({name: getattr(datagram, name) for name in _fields(datagram)}).encode()


def decode_body(kind: type[Datagram], body: bytes) -> Datagram | None:
    """Read the body of a datagram; None when it is not a valid one of this kind."""
    values = _object(body)
    return None if values is None else _read(kind, values)


def encode(datagram: AnyDatagram, keys: tuple[bytes, ...]) -> bytes:
    """Turn it into bytes, signed with the first of the keys that the cluster shares."""
    values = {name: getattr(datagram, name) for name in _fields(datagram)}
    body = _compact({"is": FORMATS[type(datagram)].name, **values}).encode()
    return _signature(body, keys[0]) + body


def decode(kind: type[Datagram], data: bytes, keys: tuple[bytes, ...]) -> Datagram | None:
    """Read a datagram; None when no key fits or it is not a valid one of this kind."""
    found = decode_any(data, keys)
    return found if isinstance(found, kind) else None


def decode_any(data: bytes, keys: tuple[bytes, ...]) -> AnyDatagram | None:
    """The same for a datagram of whatever kind."""
    if not is_signed(data, keys):
        return None
    values = _object(data[DIGEST_BYTES:])
    name = values.get("is") if values else None
    kind: Any = _KINDS_BY_NAME.get(name) if isinstance(name, str) else None
    return None if kind is None or values is None else _read(kind, values)


def is_signed(data: bytes, keys: tuple[bytes, ...]) -> bool:
    """Whether one of the keys that the cluster shares has signed it."""
    signature, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    return any(hmac.compare_digest(signature, _signature(body, key)) for key in keys)


def _fields(datagram: AnyDatagram) -> Mapping[str, FieldType]:
    return FORMATS[type(datagram)].fields


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(kind: type[Datagram], values: Mapping[str, Any]) -> Datagram | None:
    read: dict[str, Any] = {}
    try:
        for name, field in FORMATS[kind].fields.items():
            if name in values:
                read[name] = field.read(values[name])
            elif name not in _OPTIONAL[kind]:
                return None
    except ValueError:
        return None
    return kind(**read)


def _signature(body: bytes, key: bytes) -> bytes:
    return blake2b(body, key=key, digest_size=DIGEST_BYTES).digest()
