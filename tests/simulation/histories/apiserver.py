"""The API server of the long histories: objects, their versions, and what watches are told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from duravip_api import API_VERSION
from duravip_operator.leadership.lease_rule import LeaseRecord
from duravip_operator.watch.store import Kind
from duravip_runtime.api_error import ApiError

Body = dict[str, Any]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
CONFLICT, ABSENT = 409, 404


class Key(NamedTuple):
    """Which object."""

    kind: Kind
    name: str


class Change(NamedTuple):
    """What a watch is told."""

    key: Key
    body: Body
    version: int
    """The store's."""
    is_deleted: bool = False


@dataclass
class Clock:
    """The time of everybody, in seconds."""

    now: float = 0.0

    @property
    def stamp(self) -> str:
        """The same as the API writes it."""
        time = datetime.fromtimestamp(EPOCH + self.now, UTC)
        return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


class ApiServer:
    """Bodies are replaced and never changed: whoever has read one keeps what it has read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._version = 0
        self._stamps = 0
        self.restorations = 0
        """How often a backup was restored."""
        self._backup: tuple[int, LeaseRecord, dict[Key, Body]] | None = None
        self.objects: dict[Key, Body] = {}
        self.changes: list[Change] = []
        self.lease = LeaseRecord()

    def create(self, key: Key, spec: Body, **metadata: Any) -> Body:
        """A new object; raises ApiError when there is one."""
        if key in self.objects:
            raise ApiError("there is one", CONFLICT)
        meta = {
            "name": key.name,
            "namespace": "default",
            "uid": f"{key.kind}/{key.name}/{self._version + 1}",
            "creationTimestamp": self._clock.stamp,
            "generation": 1,
            **metadata,
        }
        return self._store(key, {"apiVersion": API_VERSION, "metadata": meta, "spec": spec})

    def read(self, key: Key) -> Body | None:
        """The object as it is now."""
        return self.objects.get(key)

    def replace_spec(
        self, key: Key, spec: Body, exactly: tuple[str, int, int] | None = None
    ) -> Body:
        """Another spec; raises ApiError where uid, generation and epoch are not exactly these."""
        body = self._known(key)
        meta = body["metadata"]
        if exactly and exactly != (meta["uid"], meta["generation"], body["spec"].get("epoch")):
            raise ApiError("somebody else wrote first", CONFLICT)
        generation = meta["generation"] + (spec != body["spec"])
        return self._store(
            key, {**body, "spec": spec, "metadata": {**meta, "generation": generation}}
        )

    def change_metadata(self, key: Key, **metadata: Any) -> Body:
        """Other labels or annotations."""
        body = self._known(key)
        return self._store(key, {**body, "metadata": {**body["metadata"], **metadata}})

    def put_status(self, key: Key, status: Mapping[str, Any]) -> Body:
        """Merge into the status; a field that is None goes."""
        body = self._known(key)
        merged = {**body.get("status", {}), **status}
        return self._store(
            key, {**body, "status": {k: v for k, v in merged.items() if v is not None}}
        )

    def delete(self, key: Key) -> None:
        """The object goes, if it is there."""
        body = self.objects.pop(key, None)
        if body:
            self._version += 1
            self.changes.append(Change(key, body, self._version, is_deleted=True))

    def back_up(self) -> None:
        """Keep everything as it is now."""
        self._backup = (self._version, self.lease, dict(self.objects))

    def restore(self) -> None:
        """Everything is as it was when it was kept; versions count on from there.

        Watches go on, and wait for versions later than those that they know.
        """
        if self._backup:
            self._version, self.lease, objects = self._backup
            self.objects = dict(objects)
            self.restorations += 1

    @property
    def version(self) -> int:
        """The store's: that of the last change."""
        return self._version

    def load(self) -> LeaseRecord:
        """The Lease of the leader."""
        return self.lease

    def save(self, wanted: LeaseRecord) -> LeaseRecord:
        """Replace exactly the version of the Lease that `wanted` has."""
        if wanted.version != self.lease.version:
            raise ApiError("somebody else wrote first", CONFLICT)
        self._version += 1
        self.lease = replace(wanted, version=str(self._version))
        return self.lease

    def unique_stamp(self) -> str:
        """A time that is never twice."""
        self._stamps += 1
        return f"{self._clock.stamp}#{self._stamps}"

    def of_kind(self, kind: Kind) -> Iterator[Body]:
        """Every object of a kind."""
        return (body for key, body in self.objects.items() if key.kind == kind)

    def _known(self, key: Key) -> Body:
        if key not in self.objects:
            raise ApiError("there is no such object", ABSENT)
        return self.objects[key]

    def _store(self, key: Key, body: Body) -> Body:
        known = self.objects.get(key)
        if known == body:
            return known
        self._version += 1
        body["metadata"] = {**body["metadata"], "resourceVersion": str(self._version)}
        self.objects[key] = body
        self.changes.append(Change(key, body, self._version))
        return body


class Watch:
    """What one reader has been told so far."""

    def __init__(self, api: ApiServer, kinds: frozenset[Kind], name: str = "") -> None:
        self._api, self._kinds, self._name = api, kinds, name
        self._cursor = len(api.changes)
        self._known = api.version

    def next(self) -> Change | None:
        """The next change that it has not been told yet."""
        while self._cursor < len(self._api.changes):
            change = self._api.changes[self._cursor]
            self._cursor += 1
            if change.version <= self._known:
                continue
            self._known = change.version
            if change.key.kind in self._kinds and self._name in {"", change.key.name}:
                return change
        return None
