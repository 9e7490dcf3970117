"""The agent's local API: what a program of the same node can ask the agent, and what it answers.

HTTP/1.1 over a Unix socket, read-only:

    GET /v1/served              200, a snapshot: everything that the node serves
    GET /v1/served/ADDRESS      200 with that one, or 404
    GET /v1/served?watch=true   200, a line for each change, until either side closes

All bodies are JSON. An entry is `{"address", "interface", "since"}`: the address in its canonical
form, the interface by its name, and when it was gained (RFC 3339). A watch has three kinds of
lines:

    {"node", "boot", "revision", "contact", "served": [entry…]}   the first one: a snapshot
    {"revision", "gained": [entry…], "lost": [entry…]}            a change, `lost` first
    {"revision"}                                                  nothing has changed

An address is *gained* once it may be heard: the fence lets it pass, the kernel has it, and it was
announced. It is *lost* at the moment when it is muted, before the kernel loses it. `revision`
begins anew with each `boot`, and each change of a watch has the next one after the line before: a
reader that finds a gap asks again. `contact` says whether a leader of the operator
acknowledged the node's heartbeats as the snapshot was made; a node without contact serves on.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NamedTuple, TypeVar

from duravip_api.addresses import from_int, parse_to_int, to_int

SERVED_PATH: Final = "/v1/served"
WATCH: Final = "watch=true"
ALIVE_EVERY_S: Final = 4.0
"""A watch has a line at least this often."""
MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""More than a line about all addresses that a node can be granted."""


Kind = TypeVar("Kind")


class WireError(ValueError):
    """What came is no answer of the local API, or not the next one."""


class ServedAddress(NamedTuple):
    """An address that the node serves."""

    address: str
    interface: str
    since: str


@dataclass(frozen=True, slots=True)
class ServedSnapshot:
    """Everything that the node serves, after the change of that revision."""

    node: str
    boot: str
    revision: int = 0
    contact: bool = False
    served: Mapping[str, ServedAddress] = field(default_factory=dict)
    """By the address."""


@dataclass(frozen=True, slots=True)
class ServedChange:
    """What came and went; without either it says that nothing has changed."""

    revision: int
    gained: tuple[ServedAddress, ...] = ()
    lost: tuple[ServedAddress, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed."""
        return not (self.gained or self.lost)


def canonical(address: str) -> str:
    """The address as the local API spells it; raises ValueError when it is none."""
    if "%" in address:
        raise ValueError(f"{address!r} does not appear to be an address of ours: it has a zone")
    return from_int(*parse_to_int(address))


def applied(snapshot: ServedSnapshot, change: ServedChange) -> ServedSnapshot:
    """The snapshot after the change; raises WireError when another one must come before."""
    expected = snapshot.revision + (not change.is_empty)
    if change.revision != expected:
        raise WireError(f"revision {change.revision} came, where {expected} should")
    if change.is_empty:
        return snapshot
    served = dict(snapshot.served)
    for entry in change.lost:
        served.pop(entry.address, None)
    served |= {entry.address: entry for entry in change.gained}
    return ServedSnapshot(snapshot.node, snapshot.boot, change.revision, snapshot.contact, served)


def difference(before: ServedSnapshot, after: ServedSnapshot) -> ServedChange:
    """What came and went between two snapshots, e.g. those of two connections."""
    gained = (e for a, e in after.served.items() if not _is_same(e, before.served.get(a)))
    lost = (e for a, e in before.served.items() if not _is_same(e, after.served.get(a)))
    return ServedChange(after.revision, tuple(gained), tuple(lost))


def in_order(entries: Iterable[ServedAddress]) -> list[ServedAddress]:
    """Sorted by the addresses, IPv4 before IPv6."""
    return sorted(entries, key=lambda entry: to_int(entry.address))


def encode_snapshot(snapshot: ServedSnapshot) -> bytes:
    """The snapshot as a line, addresses in order."""
    head = json.dumps(
        {
            "node": snapshot.node,
            "boot": snapshot.boot,
            "revision": snapshot.revision,
            "contact": snapshot.contact,
        }
    )
    entries = _encode_all(in_order(snapshot.served.values()))
    return f'{head[:-1]}, "served": {entries}}}\n'.encode()


def encode_change(change: ServedChange) -> bytes:
    """The change as a line."""
    if change.is_empty:
        return f'{{"revision": {change.revision}}}\n'.encode()
    gained, lost = _encode_all(change.gained), _encode_all(change.lost)
    return f'{{"revision": {change.revision}, "gained": {gained}, "lost": {lost}}}\n'.encode()


def encode_entry(entry: ServedAddress) -> bytes:
    """One address as a line."""
    return f"{_encoded(entry)}\n".encode()


def decode(line: bytes) -> ServedSnapshot | ServedChange:
    """Read a line of a watch, or the body of a snapshot; raises WireError."""
    if not line.endswith(b"\n"):
        raise WireError("a line was cut off")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a line is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise WireError("a line is no JSON object")
    revision = _field(found, "revision", int)
    if "served" in found:
        entries = _decode_all(found, "served")
        return ServedSnapshot(
            _field(found, "node", str),
            _field(found, "boot", str),
            revision,
            _field(found, "contact", bool),
            {entry.address: entry for entry in entries},
        )
    return ServedChange(revision, _decode_all(found, "gained"), _decode_all(found, "lost"))


def _is_same(entry: ServedAddress, other: ServedAddress | None) -> bool:
    return other is not None and entry.interface == other.interface


def _encode_all(entries: Iterable[ServedAddress]) -> str:
    """One by one: a call for thousands would hold up the threads that others wait for."""
    return f"[{', '.join([_encoded(entry) for entry in entries])}]"


def _encoded(entry: ServedAddress) -> str:
    address, interface, since = map(encode_basestring_ascii, entry)
    return f'{{"address": {address}, "interface": {interface}, "since": {since}}}'


def _decode_all(found: Mapping[str, Any], name: str) -> tuple[ServedAddress, ...]:
    entries = found.get(name, [])
    if not isinstance(entries, list):
        raise WireError(f"{name!r} is no list")
    return tuple(_decode_entry(entry) for entry in entries)


def _decode_entry(entry: object) -> ServedAddress:
    if not isinstance(entry, dict):
        raise WireError("an entry is no JSON object")
    address = _field(entry, "address", str)
    try:
        spelled = canonical(address)
    except ValueError as error:
        raise WireError(str(error)) from error
    return ServedAddress(spelled, _field(entry, "interface", str), _field(entry, "since", str))


def _field(found: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    value = found.get(name)
    if type(value) is not kind:
        raise WireError(f"{name!r} is no {kind.__name__}")
    return value
