"""Gives Services of type LoadBalancer their addresses: plan from the caches, write, look again.

Apart from passes: a plan elects nothing, and no fail-over may wait for one. It is made when a
Service, a pool, or an object that names an address differs, by the leader alone, from caches that
are all read; in a thread, since for thousands of Services it takes longer than a fail-over may
wait. Where there are no Services and no pools, nothing is planned.

What was sent and is not seen yet is handed to the plan as if it were there, so no address is given
out twice. A former leader's last requests may still be carried out when the next one begins: so
that one gives out nothing for a moment.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from duravip_api.annotations import format_time
from duravip_api.reasons import Reason
from duravip_operator.core import parsing
from duravip_operator.core.address_pools import AddressPool, PoolStatus
from duravip_operator.core.event_queue import Kind
from duravip_operator.core.node_addresses import host_addresses
from duravip_operator.core.object_status import pool_status
from duravip_operator.core.service_objects import (
    ServiceCondition,
    ServiceObject,
    ServiceStatus,
    parse_service,
)
from duravip_operator.core.service_statuses import status_patch
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services
from duravip_operator.core.snapshot import Snapshot, Topology, VipObject
from duravip_operator.event_recorder import MAX_MESSAGE_CHARS, EventRecorder
from duravip_operator.kube import KubeWriter, Priority, ServiceWriter, StatusWriter
from duravip_operator.kube.departed_services import DepartedServices
from duravip_operator.kube.service_writes import ObjectWrite, Target, in_order
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_operator.watch.load_balancers import LoadBalancers
from duravip_operator.watch.store import Store
from duravip_runtime.api_error import Body

log = logging.getLogger(__name__)

DEBOUNCE_S: Final = 0.02
"""What comes within this many seconds is answered by one plan."""
SHARE: Final = 3
"""From one plan to the next passes at least so many times as long as the plan took."""
ALLOCATE_AFTER_S: Final = 2.0
"""A leader gives out nothing for so long: what the former one has sent is seen by then."""
PLAN_EVERY_S: Final = 30.0
"""A plan is made at least so often while there are Services: hosts may have come and gone."""
PARTIAL_AFTER_S: Final = 0.2
"""After a plan that could not give out all that was asked for at once."""
RETRY_AFTER_S: Final = 5.0
"""After a plan that failed."""


class _StatusPatch(NamedTuple):
    """The patch of a Service's status, and what it was made of: its time stays the same."""

    before: ServiceStatus
    after: ServiceStatus
    body: Body


class _Inputs(NamedTuple):
    """What a plan is made of, as it was at one moment."""

    services: Mapping[str, ServiceObject]
    pools: tuple[AddressPool, ...]
    vips: tuple[VipObject, ...]
    topologies: tuple[Topology, ...]


class ServiceReconciler:
    """In the asyncio thread."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        balancers: LoadBalancers,
        *,
        writer: KubeWriter,
        events: EventRecorder,
        statuses: StatusWriter,
        metrics: Metrics,
    ) -> None:
        self._rules = ServiceSettings(settings.load_balancer_class, settings.default_load_balancer)
        self._store, self._balancers = store, balancers
        self._events, self._statuses, self._metrics = events, statuses, metrics
        self._writer = ServiceWriter(
            settings,
            writer,
            on_vip=lambda body: store.put("DuraVIP", body),
            on_vip_gone=lambda body: store.remove("DuraVIP", body),
            on_service=self._service_written,
            on_failure=self._failed,
        )
        self._loop = asyncio.get_running_loop()
        self._departed = DepartedServices()
        self._wanted = asyncio.Event()
        balancers.on_change = store.on_vip_change = self.wake
        self._epoch: int | None = None
        self.lead(None)

    def wake(self) -> None:
        """Something that Services depend on differs."""
        if self._epoch is not None and self._balancers.are_served:
            self._wanted.set()

    def lead(self, epoch: int | None) -> None:
        """We lead in this epoch from now on; None: somebody else does, or nobody."""
        self._epoch = epoch
        self._allocates_at = time.monotonic() + ALLOCATE_AFTER_S
        self._last: ServicePlan | None = None
        self._has_generated = True  # maybe
        self._patches: dict[str, _StatusPatch] = {}
        self._refusals: dict[str, str] = {}
        """By `namespace/name` of a DuraVIP: why the API server does not take it."""
        self._writer.reset(epoch)
        self.wake()

    async def run(self) -> None:
        """Plan whenever something differs, until cancelled."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), PLAN_EVERY_S)
                await asyncio.sleep(DEBOUNCE_S)
                self._wanted.clear()
                began = time.monotonic()
                try:
                    await self._reconcile()
                    pause = SHARE * (time.monotonic() - began)
                except Exception:
                    log.exception("no plan for Services; the next try is in %g s", RETRY_AFTER_S)
                    self._wanted.set()
                    pause = RETRY_AFTER_S
                await asyncio.sleep(pause)
        finally:
            self._writer.close()

    async def _reconcile(self) -> None:
        epoch = self._epoch
        if epoch is None or not (self._store.has_synced and self._balancers.has_synced):
            return
        balancers = self._balancers
        has_own = bool(self._has_generated or self._departed)
        if not (balancers.services.values or balancers.pools.values or has_own):
            return
        found = self._inputs()
        self._writer.hold()  # what begins from now on would be unknown to the plan
        there = _generated(found.vips)
        self._departed.look(found.services, there.values())
        sent = [parsing.vip_object("DuraVIP", w.body) for w in self._unseen(there).values()]
        plan = await asyncio.to_thread(
            plan_services,
            found.services,
            found.pools,
            (*found.vips, *sent),  # without a uid: so the plan knows them apart
            found.topologies,
            self._rules,
            self._occupied(),
            self._last,
        )
        if epoch != self._epoch:
            return
        self._has_generated = bool(plan.creates or there)
        self._last = plan
        self._write(plan, found, there)
        if plan.is_partial:
            asyncio.get_running_loop().call_later(PARTIAL_AFTER_S, self.wake)
        self._report(plan, found)

    def _inputs(self) -> _Inputs:
        return _Inputs(
            dict(self._balancers.services.values),
            tuple(self._balancers.pools.values.values()),
            tuple(self._store.vips.values()),
            tuple(self._store.topologies.values()),
        )

    def _unseen(self, there: Mapping[str, VipObject]) -> dict[str, ObjectWrite]:
        """The DuraVIPs that were sent and are not seen yet."""

        def is_seen(name: str, body: Mapping[str, Any]) -> bool:
            return name in there and there[name].address == body["spec"]["address"]

        return self._writer.unseen(is_seen)

    def _occupied(self) -> frozenset[str]:
        """The addresses of hosts, which no Service gets."""
        store = self._store
        return host_addresses(
            Snapshot(nodes=store.nodes, plumbings=store.plumbings, api_hosts=store.api_hosts)
        )

    def _write(
        self,
        plan: ServicePlan,
        found: _Inputs,
        there: Mapping[str, VipObject],
    ) -> None:
        now = time.monotonic()
        gives = {key: ObjectWrite("create", body) for key, body in plan.creates.items()}
        gives |= {
            key: ObjectWrite("replace", body, there[key].uid) for key, body in plan.updates.items()
        }
        # What was never answered may never have been carried out.
        unseen = self._unseen(_generated(self._store.vips.values()))
        gives |= {key: w for key, w in unseen.items() if _is_wanted(w.body, found.services)}
        if now < self._allocates_at and gives:
            asyncio.get_running_loop().call_later(self._allocates_at - now, self.wake)
            gives = {}
        self._refusals = {key: why for key, why in self._refusals.items() if key in gives}
        deletes = {key: there[key].uid for key in plan.deletes}
        statuses = self._status_writes(plan, found.services, gives) | self._departed.writes()
        self._writer.want(in_order(deletes, gives, statuses))

    def _status_writes(
        self,
        plan: ServicePlan,
        services: Mapping[str, ServiceObject],
        gives: Mapping[str, ObjectWrite],
    ) -> dict[str, ObjectWrite]:
        """The statuses to write: those with another address first."""
        refused = {_service_of(gives[key].body): why for key, why in self._refusals.items()}
        patches: dict[str, _StatusPatch] = {}
        now = format_time(datetime.now(UTC))
        for key, status in plan.statuses.items():
            service, why = services[key], refused.get(key)
            if why:
                condition = ServiceCondition("False", Reason.ADDRESS_REFUSED, why)
                status = status._replace(condition=condition)  # noqa: PLW2901
            last = self._patches.get(key)
            if last and (last.before, last.after) == (service.status, status):
                patches[key] = last
            elif body := status_patch(service, status, now):
                patches[key] = _StatusPatch(service.status, status, body)
        self._patches = patches
        in_turn = sorted(
            patches, key=lambda k: patches[k].before.ingress == patches[k].after.ingress
        )
        return {
            key: ObjectWrite("status", patches[key].body, services[key].uid) for key in in_turn
        }

    def _service_written(self, body: Body) -> None:
        """The API server has answered with this Service; in any thread."""
        self._balancers.services.put(body)
        service = parse_service(body)
        if service.status.condition is None:
            with suppress(RuntimeError):  # the loop has ended before this thread did
                self._loop.call_soon_threadsafe(self._departed.answered, service.key)

    def _failed(self, target: Target, write: ObjectWrite, why: str | None) -> None:
        """It is tried again; if the API server does not take a DuraVIP, its Service says why."""
        if why is not None and target[0] == "Service":
            self._departed.answered(target[1])
        if why and write.action in {"create", "replace"}:
            meta = write.body["metadata"]
            self._refusals[f"{meta['namespace']}/{meta['name']}"] = why[:MAX_MESSAGE_CHARS]
        self.wake()

    def _report(self, plan: ServicePlan, found: _Inputs) -> None:
        for event in plan.events:
            service = found.services.get(event.service)
            if service:
                about = (service.namespace, service.name, service.uid)
                kind: Kind = "Warning" if event.is_warning else "Normal"
                self._events.record_for_service(about, event.reason, event.message, kind)
        for pool in found.pools:
            self._report_pool(pool, plan.pools.get(pool.name))
        self._metrics.show_services(plan)

    def _report_pool(self, pool: AddressPool, said: PoolStatus | None) -> None:
        if said is None:
            return
        status = pool_status(pool, said, format_time(datetime.now(UTC)))
        key = ("AddressPool", "", pool.name)
        if status != pool.status:
            self._statuses.put(key, status, Priority.COUNTS)
        else:
            self._statuses.cancel(key)


def _generated(vips: Iterable[VipObject]) -> dict[str, VipObject]:
    """The DuraVIPs that were generated, by `namespace/name`: no plan writes to any other."""
    return {f"{vip.namespace}/{vip.name}": vip for vip in vips if vip.origin}


def _service_of(body: Mapping[str, Any]) -> str:
    """`namespace/name` of the Service that a DuraVIP was generated for."""
    meta = body["metadata"]
    return f"{meta['namespace']}/{meta['ownerReferences'][0]['name']}"


def _is_wanted(body: Mapping[str, Any], services: Mapping[str, ServiceObject]) -> bool:
    """Whether the Service that a DuraVIP was generated for is still there."""
    service = services.get(_service_of(body))
    return service is not None and service.uid == body["metadata"]["ownerReferences"][0]["uid"]
