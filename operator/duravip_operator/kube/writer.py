"""Every write of the operator. One that a fail-over waits for is *urgent*.

Only a spec may meet somebody else's write: it is conditional on the version that was read.
Statuses are the operator's alone, so they are replaced whatever stands there.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from threading import Event
from typing import Any, Final, TypeVar

from kubernetes.client import CustomObjectsApi

from duravip_api import API_VERSION, GROUP, PLURALS, VERSION
from duravip_api.timing import REQUEST_RETRIES
from duravip_operator.core import parsing
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError, Body, pause_after
from duravip_runtime.kube import JSON_PATCH, client_for, request, request_with_retries

Result = TypeVar("Result")

NODEPLUMBINGS: Final = (GROUP, VERSION, PLURALS["NodePlumbing"])
METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
)
CLEAR_MANAGED_FIELDS: Final = {"op": "add", "path": "/metadata/managedFields", "value": [{}]}
"""Nobody asks who wrote which field. To know it costs the API server a third of its time for a
write where thousands of addresses are served: it looks at each of them."""
CONDITION_FIELD_MANAGER: Final = "duravip-operator-heard"
"""Of the one condition in a status that is otherwise the agent's."""
URGENT_THREADS: Final = 8
"""More than the API server does at a time: some may wait for an answer that is late."""
STATUS_THREADS: Final = 8
"""More do not write faster, they only make urgent writes wait behind them in the API server."""


class LeadershipLostError(ApiError):
    """A write was not made: whoever decided it does not lead any more, or leads anew."""

    def __init__(self) -> None:
        super().__init__("the reign in which it was decided is over")
        self.is_transient = False  # it will not be made later, either


class KubeWriter:
    """Writes to one API server. All but `urgent` may be called from any thread, and block it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        # The stubs do not know `_content_type`, without which a patch goes as another kind of it.
        self._urgent_api: Any = CustomObjectsApi(
            client_for("duravip-operator", settings.kubeconfig, URGENT_THREADS)
        )
        # Whoever writes a spec knows it: of the answer, thousands of addresses, only this is news.
        spec_client: Any = client_for("duravip-operator", settings.kubeconfig, URGENT_THREADS)
        spec_client.set_default_header("Accept", METADATA_ONLY)
        self._spec_api: Any = CustomObjectsApi(spec_client)
        self._status_api: Any = CustomObjectsApi(
            client_for("duravip-operator", settings.kubeconfig, STATUS_THREADS)
        )
        self._urgent_pool = ThreadPoolExecutor(URGENT_THREADS, thread_name_prefix="urgent")
        self._urgent_writes = 0
        self.leads_in: Callable[[int | None], bool] = lambda _: True
        """Whether we lead in this epoch at this moment. From any thread."""
        self.stopping = Event()
        self.no_urgent_write = Event()
        """Set while no urgent write is outstanding: statuses are written only then."""
        self.no_urgent_write.set()

    async def urgent(self, write: Callable[..., Result], *args: Any) -> Result:
        """Run one write that a fail-over waits for; statuses stand back meanwhile."""
        self._urgent_writes += 1
        self.no_urgent_write.clear()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._urgent_pool, write, *args)
        finally:
            self._urgent_writes -= 1
            if not self._urgent_writes:
                self.no_urgent_write.set()

    async def replace_spec(
        self, known: Plumbing, spec: Body, during: Callable[[], AbstractContextManager[None]]
    ) -> Plumbing | None:
        """An urgent write, tried again where that may help: no thread waits for that."""
        failures = 0
        while True:
            try:
                with during():
                    return await self.urgent(self.write_spec, known, spec)
            except ApiError as error:
                failures += 1
                is_last = failures > len(REQUEST_RETRIES) or self.stopping.is_set()
                if is_last or not error.is_transient:
                    raise
                await asyncio.sleep(pause_after(failures, error.retry_after))

    def write_spec(self, known: Plumbing, spec: Body) -> Plumbing | None:
        """Replace the spec; None when it has changed meanwhile. The status is what was known."""
        # A restored store gives a generation once more, to another spec, but no epoch.
        epoch = {"op": "test", "path": "/spec/epoch", "value": known.epoch}
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": known.uid},
            {"op": "test", "path": "/metadata/generation", "value": known.generation},
            *([epoch] if known.epoch else ()),
            {"op": "replace", "path": "/spec", "value": spec},
            CLEAR_MANAGED_FIELDS,
        ]
        call = partial(
            self._spec_api.patch_cluster_custom_object, body=patch, _content_type=JSON_PATCH
        )
        self._require_leadership(spec.get("epoch"))
        try:
            written = self._with_metrics(
                "NodePlumbing", lambda: request(call, *NODEPLUMBINGS, known.node)
            )
            return parsing.with_spec_of(known, {"metadata": written["metadata"], "spec": spec})
        except ApiError as error:
            if error.is_conflict or error.is_absent:
                return None
            raise

    def create_plumbing(self, node: str, spec: Body) -> Plumbing | None:
        """Make the NodePlumbing of a node; None when there is one, maybe by an unanswered try."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "NodePlumbing",
            "metadata": {"name": node},
            "spec": spec,
        }
        call = partial(self._urgent_api.create_cluster_custom_object, body=body)
        try:
            return parsing.plumbing(self._write_with_retries(call, epoch=spec.get("epoch")))
        except ApiError as error:
            if error.is_conflict:
                return None
            raise

    def delete_plumbing(self, known: Plumbing, epoch: int | None = None) -> None:
        """Delete this very NodePlumbing, not one that was made in its place."""
        options = {"preconditions": {"uid": known.uid}}
        call = partial(self._urgent_api.delete_cluster_custom_object, body=options)
        try:
            self._write_with_retries(call, known.node, epoch=epoch)
        except ApiError as error:
            if not (error.is_conflict or error.is_absent):
                raise

    def read_plumbing(self, node: str) -> Body | None:
        """The NodePlumbing of a node as it is now; None when there is none."""
        call = self._urgent_api.get_cluster_custom_object
        try:
            return request_with_retries(self.stopping, call, *NODEPLUMBINGS, node)
        except ApiError as error:
            if error.is_absent:
                return None
            raise

    def write_status(
        self,
        kind: str,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        epoch: int | None = None,
    ) -> None:
        """Replace the status of a DuraVIP, Binding or Topology, once: the caller tries again.

        Of a NodePlumbing, whose status is its agent's, `status` is the one condition that is ours.
        """
        self._require_leadership(epoch)
        if kind == "NodePlumbing":
            self._with_metrics(kind, lambda: self._write_condition(name, status))
            return
        patch = [{"op": "add", "path": "/status", "value": status}]
        plural = PLURALS[kind]
        where = (GROUP, VERSION, namespace, plural) if namespace else (GROUP, VERSION, plural)
        call = (
            self._status_api.patch_namespaced_custom_object_status
            if namespace
            else self._status_api.patch_cluster_custom_object_status
        )
        self._with_metrics(
            kind, lambda: request(call, *where, name, body=patch, _content_type=JSON_PATCH)
        )

    def _write_condition(self, node: str, condition: Mapping[str, Any]) -> Body:
        """Put one condition into what the agent says, as it stands at this very moment."""
        where = (*NODEPLUMBINGS, node)
        found = request(self._status_api.get_cluster_custom_object, *where)
        status = found.get("status") or {}
        types = [one.get("type") for one in status.get("conditions") or ()]
        if not types:
            with_it = {**status, "conditions": [condition]}
            change = {"op": "add", "path": "/status", "value": with_it}
        elif condition["type"] in types:
            place = f"/status/conditions/{types.index(condition['type'])}"
            change = {"op": "replace", "path": place, "value": condition}
        else:
            change = {"op": "add", "path": "/status/conditions/-", "value": condition}
        version = found["metadata"]["resourceVersion"]
        return request(
            self._status_api.patch_cluster_custom_object_status,
            *where,
            body=[
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                change,
            ],
            field_manager=CONDITION_FIELD_MANAGER,
            _content_type=JSON_PATCH,
        )

    def write_guarded(self, kind: str, write: Callable[[], Body], epoch: int) -> Body:
        """Make one write, counted as one of this kind, while that leadership lasts."""
        self._require_leadership(epoch)
        return self._with_metrics(kind, write)

    def close(self) -> None:
        """Try nothing again from now on; what is under way may take a second more."""
        self.stopping.set()
        self.no_urgent_write.set()
        self._urgent_pool.shutdown(wait=False, cancel_futures=True)

    def _write_with_retries(
        self, call: Callable[..., object], *name: str, epoch: int | None
    ) -> Body:
        def guarded(*args: object, **options: Any) -> object:
            self._require_leadership(epoch)
            return call(*args, **options)

        return self._with_metrics(
            "NodePlumbing",
            lambda: request_with_retries(self.stopping, guarded, *NODEPLUMBINGS, *name),
        )

    def _require_leadership(self, epoch: int | None) -> None:
        """Right before each request: raises LeadershipLostError when that leadership is over."""
        if epoch is not None and not self.leads_in(epoch):
            raise LeadershipLostError

    def _with_metrics(self, kind: str, write: Callable[[], Body]) -> Body:
        try:
            answer = write()
        except ApiError as error:
            refusal = "conflict" if error.is_conflict else str(error.status or "no answer")
            self._metrics.writes.labels(kind, refusal).inc()
            raise
        self._metrics.writes.labels(kind, "ok").inc()
        return answer
