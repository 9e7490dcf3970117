"""The datagrams between agents and operators: beats and their acknowledgements, looks and sights.

`FORMATS` is the wire format: the tag of each datagram, the type and the range of each field. The
body is a JSON object. A field that is not known is ignored, and one that has a default may be
missing, so that a version may add fields; whatever else is wrong makes the whole datagram void.
Who signs a datagram may still lie, or be of another version: every value is checked before it is
used.

How a datagram is signed stands in `secure_channel`. Here is how older versions signed it,
and do while one of their programs runs: a 16-byte BLAKE2b digest of the
body, keyed with one key that the whole cluster shares. A key file holds one key a line: the first
one signs, all of them are accepted.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

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

Reader = Callable[[Any], Any]
"""Gives the value of a field as it is used; raises ValueError where it is not in range."""

HIGHEST = 2**63 - 1
"""What the API server can store in an integer."""


def _reader(is_valid: Callable[[Any], bool], kind: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not is_valid(value):
            raise ValueError("not in range")
        return kind(value)

    return read


def _text(longest: int, shortest: int = 1) -> Reader:
    """Printable characters: what is logged or shown must not move a terminal's cursor."""
    return _reader(lambda value: _is_text(value, longest, shortest), str)


def _is_text(value: Any, longest: int, shortest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest and value.isprintable()


def _texts(most: int, longest: int) -> Reader:
    def is_valid(value: Any) -> bool:
        is_short = isinstance(value, list | tuple) and len(value) <= most
        return is_short and all(_is_text(item, longest, 1) for item in value)

    return _reader(is_valid, tuple)


def _choice(*words: str) -> Reader:
    return _reader(lambda value: isinstance(value, str) and value in words, str)


def _integer(lowest: int = 0) -> Reader:
    """A whole number; True and False are none."""
    return _reader(lambda value: type(value) is int and lowest <= value <= HIGHEST, int)


def _number(lowest: float, highest: float) -> Reader:
    """A number that is finite: a comparison with NaN is false."""
    return _reader(lambda v: type(v) in {int, float} and lowest <= v <= highest, float)


_BOOLEAN = _reader(lambda value: isinstance(value, bool), bool)
"""True or False; 0 and 1 are neither."""


class Format(NamedTuple):
    """How a datagram looks on the wire."""

    tag: int
    """Names it in the header of `secure_channel`. A tag is never given to another datagram."""
    name: str
    """Names it in the body of a datagram that is signed with the key of the whole cluster."""
    fields: Mapping[str, Reader]


_NODE, _BOOT, _INTERFACE = _text(253), _text(64), _text(15)

FORMATS: Mapping[type[AnyDatagram], Format] = {
    Heartbeat: Format(
        1,
        "Beat",
        {
            "node": _NODE,
            "boot": _BOOT,
            "seq": _integer(1),
            "generation": _integer(),
            "digest": _text(64, shortest=0),
            "echoes": _texts(8, 64),
            "stopped": _BOOLEAN,
        },
    ),
    Ack: Format(
        2,
        "Ack",
        {
            "boot": _BOOT,
            "seq": _integer(1),
            "leader": _BOOLEAN,
            "epoch": _integer(),
            "generation": _integer(),
            "token": _text(64, shortest=0),
        },
    ),
    ProbeRequest: Format(
        3,
        "Look",
        {
            "scout": _NODE,
            "boot": _BOOT,
            "number": _integer(),
            "suspect": _NODE,
            "interface": _INTERFACE,
            "addresses": _texts(8, 45),
            "macs": _texts(8, 64),
        },
    ),
    ProbeReport: Format(
        4,
        "Sight",
        {
            "scout": _NODE,
            "number": _integer(),
            "suspect": _NODE,
            "interface": _INTERFACE,
            "verdict": _choice("answering", "silent", "unknown"),
            "heard_ago": _number(-1.0, 1e9),
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
    return _compact(_values(datagram)).encode()


def decode_body(kind: type[Datagram], body: bytes) -> Datagram | None:
    """Read the body of a datagram; None when it is not a valid one of this kind."""
    return _read(kind, _object(body))


def encode(datagram: AnyDatagram, keys: tuple[bytes, ...]) -> bytes:
    """Turn it into bytes, signed with the first of the keys that the cluster shares."""
    body = _compact({"is": FORMATS[type(datagram)].name, **_values(datagram)}).encode()
    return _signature(body, keys[0]) + body


def decode_any(data: bytes, keys: tuple[bytes, ...]) -> AnyDatagram | None:
    """Read a datagram; None when no key fits or it is not a valid one."""
    if not is_signed(data, keys):
        return None
    values = _object(data[DIGEST_BYTES:])
    kind: Any = _KINDS_BY_NAME.get(str(values.get("is")))
    return kind and _read(kind, values)


def is_signed(data: bytes, keys: tuple[bytes, ...]) -> bool:
    """Whether one of the keys that the cluster shares has signed it."""
    signature, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    return any(hmac.compare_digest(signature, _signature(body, key)) for key in keys)


def _values(datagram: AnyDatagram) -> dict[str, Any]:
    return {name: getattr(datagram, name) for name in FORMATS[type(datagram)].fields}


def _object(body: bytes) -> dict[str, Any]:
    """The object that a body is; what is none has no fields."""
    try:
        values = json.loads(body.decode())
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _read(kind: type[Datagram], values: Mapping[str, Any]) -> Datagram | None:
    read: dict[str, Any] = {}
    try:
        for name, read_value in FORMATS[kind].fields.items():
            if name in values:
                read[name] = read_value(values[name])
            elif name not in _OPTIONAL[kind]:
                return None
    except ValueError:
        return None
    return kind(**read)


def _signature(body: bytes, key: bytes) -> bytes:
    return blake2b(body, key=key, digest_size=DIGEST_BYTES).digest()
