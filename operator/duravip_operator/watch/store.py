"""The object store: what the operator knows of the cluster, parsed, one cache for each kind.

Several sources observe the same object: a watch, the answer to our own write, the relist. They may
overtake one another, so: of two versions of an object the newer one stays; what was deleted does
not come back; and a whole list is believed about everything that nobody has observed since the
list was begun, even when resourceVersions went backwards because somebody has restored a backup.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from duravip_operator.core import parsing
from duravip_operator.core.snapshot import Node, Plumbing, Topology, VipObject

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
Kind = Literal["DuraVIP", "Binding", "Topology", "Node", "NodePlumbing"]
Value = VipObject | Topology | Node | Plumbing

KINDS: tuple[Kind, ...] = ("Topology", "Node", "NodePlumbing", "Binding", "DuraVIP")
_BY_UID = {"DuraVIP", "Binding"}
_OF_SERVICES = {"DuraVIP", "Binding", "Topology"}


_FIELDS_OF_A_WRITE = (
    *("resource_version", "generation", "epoch", "pulse", "pulse_keys"),
    *("grants", "contested", "granted_count", "ports", "ports_decide", "checks"),
)


UNKNOWN_VERSION = ""
"""The number of a version that is compared with no other one."""

MAX_REPORTED_EPOCH = 2**30
"""Of an agent's word: whoever lies may drive the epoch so high, and half of all are left."""


class Version(NamedTuple):
    """Which object an entry is of, and which version of it."""

    uid: str
    number: str
    """The resourceVersion."""


class Observation(NamedTuple):
    """An object as some source has told of it."""

    key: str
    """What it is cached by: the uid of an Entity, the name of others."""
    version: Version
    value: Value | None
    """None: the source knows no more than that the object is there in this version."""


class _KindCache(NamedTuple):
    values: dict[str, Any]
    versions: dict[str, Version]
    gone: set[str]
    """The uids of what was deleted since the last sweep began."""


class Store:
    """All caches. They are read and changed in the asyncio thread; any thread may report."""

    def __init__(
        self,
        on_change: Callable[[], None],
        read_plumbing: Callable[[str], Body | None],
        defer: Callable[..., object] | None = None,
        *,
        ignore_exclude_label: bool = False,
    ) -> None:
        """`on_change` is called in the asyncio thread when a parsed value differs; `defer` runs
        something there; see the option for `ignore_exclude_label`.
        """  # noqa: D205
        self._on_change = on_change
        self.on_edit = on_change
        """Called instead of it when nobody waits for what differs, and it may be one of thousands:
        an object that names an address, or what a node says that it has taken."""
        self._read_plumbing = read_plumbing
        self._defer = defer or asyncio.get_running_loop().call_soon_threadsafe
        self.vips: dict[str, VipObject] = {}
        self.topologies: dict[str, Topology] = {}
        self.nodes: dict[str, Node] = {}
        self.plumbings: dict[str, Plumbing] = {}
        self.api_hosts: frozenset[str] = frozenset()
        """The addresses at which the API server is reached."""
        values: dict[Kind, dict[str, Any]] = {
            "DuraVIP": self.vips,
            "Binding": self.vips,
            "Topology": self.topologies,
            "Node": self.nodes,
            "NodePlumbing": self.plumbings,
        }
        self._caches = {kind: _KindCache(values[kind], {}, set()) for kind in KINDS}
        self._listed_kinds: set[Kind] = set()
        self._being_written: set[str] = set()
        self._ignores_exclude_label = ignore_exclude_label
        self.restore_count = 0
        """How often the store was found to have gone back to an earlier state."""
        self.on_restore: Callable[[], None] = lambda: None
        """Called in the asyncio thread whenever it is."""
        self.on_vip_change: Callable[[], None] = lambda: None
        """Called in the asyncio thread when an object that Services depend on differs: one that
        names an address, a Topology, and the status of a DuraVIP that was generated for one."""
        self.on_move: Callable[[VipObject], None] = lambda _: None
        """Called in the asyncio thread with an object whose status tells of another move."""

    @property
    def has_synced(self) -> bool:
        """Whether every kind was listed once: before that, what is missing may well exist."""
        return len(self._listed_kinds) == len(KINDS)

    @property
    def highest_epoch(self) -> int | None:
        """The highest in any NodePlumbing; None while the caches are cold. From any thread.

        Where a backup was restored, agents may have seen higher ones than any spec has.
        """
        if not self.has_synced:
            return None
        plumbings = list(self.plumbings.values())
        told = (p.seen_epoch for p in plumbings if p.seen_epoch is not None)
        believed = (epoch for epoch in told if epoch <= MAX_REPORTED_EPOCH)
        return max((*(p.epoch for p in plumbings), *believed), default=0)

    def reset_after_restore(self) -> None:
        """The store has gone back: what it tells from now on is right, whatever its version.

        What is known stays until all kinds were listed again. In the asyncio thread.
        """
        self.restore_count += 1
        self._listed_kinds.clear()
        for cache in self._caches.values():
            cache.gone.clear()
            for key, version in cache.versions.items():
                cache.versions[key] = version._replace(number=UNKNOWN_VERSION)
        log.warning("the API server's store has gone back to an earlier state: reading all anew")
        self.on_restore()

    def set_api_hosts(self, hosts: frozenset[str]) -> None:
        """The API server is reached at exactly these. In the asyncio thread."""
        if hosts != self.api_hosts:
            self.api_hosts = hosts
            self._on_change()

    def put(self, kind: Kind, body: Body) -> None:
        """Some watch has seen the object. Called from any thread."""
        if found := observe(kind, body):
            self.call_in_loop(self._observe, kind, found)

    def remove(self, kind: Kind, body: Body) -> None:
        """Some watch has seen that the object was deleted. Called from any thread."""
        key, version = _identity(kind, body)
        self.call_in_loop(self._remove, kind, key, version.uid)

    def apply_own_write(self, written: Plumbing) -> None:
        """Take the spec of a NodePlumbing from our own write, which is no news to us.

        The status stays what was last seen of it. The watch tells of the same version, with the
        status that it has, if it has not done so already.
        """
        version = Version(written.uid, written.resource_version)
        known = self.plumbings.get(written.node)
        if known and known.uid == written.uid:
            if known.generation >= written.generation:
                return
            told = {field: getattr(written, field) for field in _FIELDS_OF_A_WRITE}
            written = replace(known, **told)
        self._take("NodePlumbing", Observation(written.node, version, written))

    @contextmanager
    def suppress_echo(self, node: str) -> Iterator[None]:
        """While we write a NodePlumbing, no watch wakes anybody with what we have written."""
        self._being_written.add(node)
        try:
            yield
        finally:
            self._being_written.discard(node)

    def reread(self, node: str) -> None:
        """Read a NodePlumbing again. From any thread but asyncio's, which it would block."""
        before = self.plumbings.get(node)
        known = self._caches["NodePlumbing"].versions.get(node)
        body = self._read_plumbing(node)
        if body is not None:
            self.call_in_loop(self._reread_done, body, known)
        elif before is not None:
            self.call_in_loop(self._remove, "NodePlumbing", node, before.uid)

    def is_being_written(self, node: str) -> bool:
        """Whether we are just writing its NodePlumbing."""
        return node in self._being_written

    def _reread_done(self, body: Body, before: Version | None) -> None:
        """It was asked for when `before` was known: if that still is, this is later."""
        seen = observe("NodePlumbing", body)
        if seen is None:
            return
        known = self._caches["NodePlumbing"].versions.get(seen.key)
        if known and known == before and _is_older(seen.version, known):
            self.reset_after_restore()
        self._observe("NodePlumbing", seen)

    def snapshot_versions(self, kind: Kind) -> dict[str, Version]:
        """What is known as a list of this kind is begun, to be handed to `listed` with it."""
        cache = self._caches[kind]
        cache.gone.clear()
        return dict(cache.versions)

    def replace_all(
        self, kind: Kind, before: Mapping[str, Version], found: Iterable[Observation]
    ) -> bool:
        """Take a whole list of this kind; whether it told anything new. In the asyncio thread."""
        cache = self._caches[kind]
        missing = dict(before)
        found = list(found)
        if any(self._went_back(cache, seen, before) for seen in found):
            self.reset_after_restore()
            before = {
                key: version._replace(number=UNKNOWN_VERSION) for key, version in before.items()
            }
            missing = dict(before)
        is_news = False
        for seen in found:
            missing.pop(seen.key, None)
            if seen.value is None:
                continue
            if cache.versions.get(seen.key) == before.get(seen.key):
                cache.versions.pop(seen.key, None)  # untouched since: the list is right
            is_news |= self._take(kind, seen)
        for key, version in missing.items():
            if cache.versions.get(key) == version:
                self._remove(kind, key, version.uid)
                is_news = True
        if is_news or kind not in self._listed_kinds:
            self._listed_kinds.add(kind)
            self._on_change()
        return is_news

    @staticmethod
    def _went_back(cache: _KindCache, seen: Observation, before: Mapping[str, Version]) -> bool:
        """Whether a list that was begun later gives an earlier version."""
        known = cache.versions.get(seen.key)
        is_same = known is not None and known == before.get(seen.key)
        return is_same and known is not None and _is_older(seen.version, known)

    def _observe(self, kind: Kind, seen: Observation) -> None:
        before = self._caches[kind].values.get(seen.key)
        is_ours = kind == "NodePlumbing" and seen.key in self._being_written
        if self._take(kind, seen) and not is_ours:
            (self.on_edit if _can_wait(before, seen.value) else self._on_change)()

    def _take(self, kind: Kind, seen: Observation) -> bool:
        """Take what was seen, unless it is older than what is known; whether it is news."""
        if self._ignores_exclude_label and isinstance(seen.value, Node):
            seen = seen._replace(value=parsing.without_exclude_label(seen.value))
        cache = self._caches[kind]
        known = cache.versions.get(seen.key)
        if seen.version.uid in cache.gone or (known and _is_older(seen.version, known)):
            return False
        cache.versions[seen.key] = seen.version
        old = cache.values.get(seen.key)
        if old == seen.value and _status(old) == _status(seen.value):
            return False  # the same object stays: passes see by identity that nothing is new
        cache.values[seen.key] = seen.value
        if isinstance(seen.value, VipObject) and old is not None:
            self._note_move(old, seen.value)
        is_news = bool(old != seen.value)
        if kind in _OF_SERVICES and (is_news or getattr(seen.value, "origin", None)):
            self.on_vip_change()
        return is_news

    def _note_move(self, before: VipObject, after: VipObject) -> None:
        move = after.status.get("lastMove")
        if move and move != before.status.get("lastMove"):
            self.on_move(after)

    def _remove(self, kind: Kind, key: str, uid: str) -> None:
        cache = self._caches[kind]
        cache.gone.add(uid)
        known = cache.versions.get(key)
        if known and known.uid == uid:
            del cache.versions[key]
            (self.on_edit if _can_wait(None, cache.values.pop(key)) else self._on_change)()
            if kind in _OF_SERVICES:
                self.on_vip_change()

    def call_in_loop(self, call: Callable[..., object], *args: Any) -> None:
        """Have the asyncio thread call this soon. From any thread."""
        with suppress(RuntimeError):  # the loop has ended before this thread did
            self._defer(call, *args)


def _can_wait(before: Value | None, after: Value | None) -> bool:
    """Whether it names an address, or a node has only taken more of what it is granted."""
    if isinstance(after, VipObject):
        return True
    if not (isinstance(before, Plumbing) and isinstance(after, Plumbing)):
        return False
    return before.served <= after.served and after == replace(
        before,
        resource_version=after.resource_version,
        observed_generation=after.observed_generation,
        seen_epoch=after.seen_epoch,
        served=after.served,
    )


def _is_older(one: Version, other: Version) -> bool:
    """Whether it is certainly older; where numbers cannot be compared, the last one told wins."""
    numbers = (one.number, other.number)
    return all(number.isdecimal() for number in numbers) and int(one.number) < int(other.number)


def observe(kind: Kind, body: Body) -> Observation | None:
    """The object that a body describes; None when it has no name, or cannot be read at all."""
    key, version = _identity(kind, body)
    if not key:
        return None
    try:
        return Observation(key, version, _parsed(kind, body))
    except Exception:  # a bug of ours, which must cost no more than this object
        log.exception("cannot read %s %s", kind, key)
        return None


def observe_unchanged(kind: Kind, body: Body, before: Mapping[str, Version]) -> Observation | None:
    """The object, unparsed, when it has the version that was known before."""
    key, version = _identity(kind, body)
    return Observation(key, version, None) if before.get(key) == version else None


def _parsed(kind: Kind, body: Body) -> Value:
    if kind in {"DuraVIP", "Binding"}:
        return parsing.vip_object("Binding" if kind == "Binding" else "DuraVIP", body)
    if kind == "Topology":
        return parsing.topology(body)
    return parsing.node(body) if kind == "Node" else parsing.plumbing(body)


def _identity(kind: Kind, body: Body) -> tuple[str, Version]:
    meta = body.get("metadata") or {}
    version = Version(str(meta.get("uid", "")), str(meta.get("resourceVersion", "")))
    return (version.uid if kind in _BY_UID else str(meta.get("name", ""))), version


def _status(value: Value | None) -> object:
    return getattr(value, "status", None)
