"""The objects of one list, parsed and kept up to date by a watch of its own.

A whole list replaces what is known. Beside the watch the answers to our own writes tell of
objects: they count for what is known already, and of two versions of one object the newer stays.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, NamedTuple, TypeVar

from duravip_runtime.api_error import Body
from duravip_runtime.informer import Informer

WATCH_S: Final = 30
SILENCE_S: Final = 35.0
"""How long one watch lasts, and how long it may say nothing: a frozen connection is noticed."""

UNKNOWN: Final = -1
"""The number of a version that is compared with no other one."""

Parsed = TypeVar("Parsed")


class _Entry(NamedTuple, Generic[Parsed]):
    uid: str
    number: int
    """The resourceVersion."""
    value: Parsed


class WatchedObjects(Generic[Parsed]):
    """In the asyncio thread, but for `put` and what the watch reports."""

    def __init__(
        self,
        what: str,
        method: Callable[..., object],
        parse: Callable[[Body], Parsed],
        on_change: Callable[[], None],
    ) -> None:
        """`what` names them for the log; `method` is a list call of the client."""
        self._what, self._method, self._parse = what, method, parse
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self.values: dict[str, Parsed] = {}
        """By `namespace/name`, or by name where there is no namespace."""
        self.has_synced = False
        """Whether they were listed, since the start or the last `restart`."""
        self._entries: dict[str, _Entry[Parsed]] = {}
        self._round = 0
        self._informer: Informer | None = None

    def start(self) -> None:
        """Begin to list and to watch."""
        self._round += 1
        number = self._round

        def listed(bodies: list[Body]) -> None:
            self._call(self._in_round, number, self._listed, [self._read(b) for b in bodies])

        def seen(body: Body) -> None:
            self._call(self._in_round, number, self._seen, self._read(body))
            _strip(body)  # the library keeps the object for ever

        def deleted(body: Body) -> None:
            self._call(self._in_round, number, self._deleted, *_identity(body))

        self._informer = Informer(
            self._what,
            self._method,
            seen,
            deleted,
            on_listed=listed,
            watch_s=WATCH_S,
            silence_s=SILENCE_S,
        )
        self._informer.start()

    def restart(self) -> None:
        """The API server's store has gone back: what is listed next is right, however old."""
        if self._informer is None:
            return
        self._informer.end()
        self.has_synced = False
        for key, entry in self._entries.items():
            self._entries[key] = entry._replace(number=UNKNOWN)
        self.start()

    def stop(self) -> None:
        """End the watch. A program that ends may do without."""
        if self._informer:
            self._informer.stop()

    def put(self, body: Body) -> None:
        """The API server has answered a write with this object. From any thread."""
        self._call(self._answered, self._read(body))

    def _read(self, body: Body) -> tuple[str, _Entry[Parsed]]:
        key, uid = _identity(body)
        number = str(body["metadata"].get("resourceVersion", ""))
        version = int(number) if number.isdecimal() else UNKNOWN
        return key, _Entry(uid, version, self._parse(body))

    def _in_round(self, number: int, take: Callable[..., None], *said: object) -> None:
        if number == self._round:
            take(*said)

    def _call(self, call: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop has ended before this thread did
            self._loop.call_soon_threadsafe(call, *args)

    def _listed(self, found: list[tuple[str, _Entry[Parsed]]]) -> None:
        listed = dict(found)
        missing = self._entries.keys() - listed.keys()
        for key in missing:
            del self._entries[key], self.values[key]
        is_news = [self._take(key, entry) for key, entry in listed.items()]
        is_first, self.has_synced = not self.has_synced, True
        if is_first or missing or any(is_news):
            self._on_change()

    def _seen(self, found: tuple[str, _Entry[Parsed]]) -> None:
        if self._take(*found):
            self._on_change()

    def _answered(self, found: tuple[str, _Entry[Parsed]]) -> None:
        known = self._entries.get(found[0])
        if known and known.uid == found[1].uid:
            self._seen(found)

    def _deleted(self, key: str, uid: str) -> None:
        known = self._entries.get(key)
        if known and known.uid == uid:
            del self._entries[key], self.values[key]
            self._on_change()

    def _take(self, key: str, entry: _Entry[Parsed]) -> bool:
        """Take a version of an object, unless it is an old one; whether its value differs."""
        known = self._entries.get(key)
        is_known = known is not None and known.uid == entry.uid
        if known and is_known and entry.number < known.number:
            return False
        if known and is_known and known.value == entry.value:
            self._entries[key] = entry._replace(value=known.value)
            return False  # the same object stays: passes see by identity that nothing is new
        self._entries[key] = entry
        self.values[key] = entry.value
        return True


def _identity(body: Body) -> tuple[str, str]:
    """`(namespace/name, or the name where there is no namespace; uid)`."""
    meta = body["metadata"]
    name = "/".join(filter(None, (meta.get("namespace"), meta["name"])))
    return name, str(meta.get("uid", ""))


def _strip(body: Body) -> None:
    """Leave of an object what the library needs: to parse it again would give another one."""
    for part in ("spec", "status"):
        body.pop(part, None)
    body["metadata"].pop("managedFields", None)
