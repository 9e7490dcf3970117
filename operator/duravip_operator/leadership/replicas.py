"""Announces this replica by a Lease, and lists the others: agents send heartbeats to all.

A replica is gone when its Lease has not changed for as long as it lasts, by our own clock: one
that is seen for the first time is given its whole time.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import Final, NamedTuple

from duravip_operator.leadership.leases import (
    LEASE,
    PULSE_ANNOTATION,
    PULSE_KEY_ANNOTATION,
    REPLICA_LABEL,
    Leases,
    OtherInstallations,
    timestamp,
)
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError, Body

log = logging.getLogger(__name__)


class ReplicaAnnouncement(NamedTuple):
    """A Lease by which a replica announces itself."""

    name: str
    version: str
    address: str
    """Where agents shall send their beats; empty when it does not say."""
    lasts: float
    public_key: str = ""
    """By which agents know it; empty: of an older version."""
    renewed: str = ""
    """`renewTime`."""


class Replica(NamedTuple):
    """A replica that is there."""

    address: str
    public_key: str


class ReplicaTable:
    """What was announced, and since when it has stood unchanged."""

    def __init__(self) -> None:
        self._announced: dict[str, tuple[ReplicaAnnouncement, float]] = {}

    def update(self, announced: Iterable[ReplicaAnnouncement], now: float) -> None:
        """Take all announcements as they are now."""
        before, self._announced = self._announced, {}
        for found in announced:
            known = before.get(found.name)
            is_same = known is not None and known[0].version == found.version
            self._announced[found.name] = known if known and is_same else (found, now)

    def living(self, now: float) -> frozenset[Replica]:
        """The replicas that are there, one at each address.

        One that was started anew at the same address, under another name, has another key: the
        one that has announced itself last is there, by the clock of the host that both ran on.
        """
        there = [
            found
            for found, since in self._announced.values()
            if found.address and now - since <= found.lasts
        ]
        there.sort(key=lambda found: found.renewed)
        keys = {found.address: found.public_key for found in there}
        return frozenset(Replica(address, key) for address, key in keys.items())

    def expired(self, now: float) -> list[ReplicaAnnouncement]:
        """The announcements of those that are gone."""
        return [found for found, since in self._announced.values() if now - since > found.lasts]


ANNOUNCEMENT_DURATION_S: Final = 180
ANNOUNCE_EVERY_S: Final = 60.0
LIST_EVERY_S: Final = 2.0
CHECK_OTHERS_EVERY_S: Final = 30.0
STOP_TIMEOUT_S: Final = 1.0


class Replicas:
    """All replicas, as far as they are known."""

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        is_leading: Callable[[], bool],
        public_key: str,
        on_rival: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`public_key` is that of this replica; `on_change` is called in the asyncio thread.

        Only a leader removes what is expired. `on_rival` is called there with a sentence when
        another installation leads.
        """
        self._other_installations = OtherInstallations(settings.kubeconfig, settings.namespace)
        self._on_other_installation = on_rival
        self._started = time.monotonic()
        self._checked = 0.0
        self._identity = settings.identity
        self._own = Replica(settings.pulse_advertise, public_key)
        self._name = f"{LEASE}-{settings.identity}"
        self._leases = Leases(settings.kubeconfig, settings.namespace)
        self._on_change = on_change
        self._is_leading = is_leading
        self._event_loop = asyncio.get_running_loop()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="members", daemon=True)
        self._table = ReplicaTable()
        self._replicas: tuple[Replica, ...] = (self._own,)
        self._renew_at = 0.0
        self._is_failing = False

    def replicas(self) -> tuple[Replica, ...]:
        """Every replica that is there, sorted by HOST:PORT; this one is always among them."""
        return self._replicas

    def start(self) -> None:
        """Announce this replica, and begin to look for others."""
        self._thread.start()

    async def stop(self) -> None:
        """Take the announcement back."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round(time.monotonic())
                self._is_failing = False
            except ApiError as error:
                if not self._is_failing:
                    log.warning("cannot tell the other replicas of this one: %s", error)
                self._is_failing = True
            except Exception:
                log.exception("a look at the other replicas failed")
            self._stopping.wait(LIST_EVERY_S)
        with suppress(ApiError):
            self._leases.delete(self._name)

    def _round(self, now: float) -> None:
        if now >= self._renew_at:
            self._announce()
            self._renew_at = now + ANNOUNCE_EVERY_S
        self._check_other_installations(now)
        bodies = self._leases.list_replica_leases()
        if not any(body["metadata"]["name"] == self._name for body in bodies):
            self._renew_at = now  # somebody has deleted ours
        self._table.update(map(_parse_announcement, bodies), now)
        others = {r for r in self._table.living(now) if r.address != self._own.address}
        self._publish(tuple(sorted(others | {self._own})))
        for gone in self._table.expired(now) if self._is_leading() else ():
            self._leases.delete(gone.name, gone.version)
            log.info("replica %s is gone: its announcement has expired", gone.name)

    def _check_other_installations(self, now: float) -> None:
        """Often at first: two may have been started at the same time."""
        is_new = now - self._started < CHECK_OTHERS_EVERY_S
        if is_new or now - self._checked >= CHECK_OTHERS_EVERY_S:
            self._checked = now
            if sentence := self._other_installations.check():
                self._call_in_loop(partial(self._on_other_installation, sentence))

    def _announce(self) -> None:
        there = self._leases.read(self._name)
        metadata = {
            "name": self._name,
            "labels": {REPLICA_LABEL: LEASE},
            "annotations": {
                PULSE_ANNOTATION: self._own.address,
                PULSE_KEY_ANNOTATION: self._own.public_key,
            },
        }
        if there is not None:
            metadata["resourceVersion"] = there["metadata"]["resourceVersion"]
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": ANNOUNCEMENT_DURATION_S,
            "renewTime": timestamp(),
        }
        self._leases.write({"metadata": metadata, "spec": spec})

    def _publish(self, replicas: tuple[Replica, ...]) -> None:
        if replicas == self._replicas:
            return
        self._replicas = replicas
        log.info("replicas are heard at %s", ", ".join(replica.address for replica in replicas))
        self._call_in_loop(self._on_change)

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended before this thread did
            self._event_loop.call_soon_threadsafe(call)


def _parse_announcement(body: Body) -> ReplicaAnnouncement:
    metadata, spec = body["metadata"], body.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    return ReplicaAnnouncement(
        name=metadata["name"],
        version=metadata["resourceVersion"],
        address=annotations.get(PULSE_ANNOTATION, ""),
        lasts=float(spec.get("leaseDurationSeconds") or ANNOUNCEMENT_DURATION_S),
        public_key=annotations.get(PULSE_KEY_ANNOTATION, ""),
        renewed=str(spec.get("renewTime") or ""),
    )
