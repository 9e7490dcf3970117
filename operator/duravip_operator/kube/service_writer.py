"""Writes what Services need: generated DuraVIPs, and of a Service its status alone.

Each answer goes to the caches at once, so the next plan knows what was written before a watch
tells of it. Which write may begin is decided in `service_writes`. They stand back while a write
that a fail-over waits for is outstanding, and none is made for a leadership that is over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from kubernetes.client import CoreV1Api, CustomObjectsApi

from duravip_api import GROUP, PLURALS, VERSION
from duravip_api.services import POOL
from duravip_operator.kube.service_writes import MAX_IN_FLIGHT, ObjectWrite, ServiceWrites, Target
from duravip_operator.kube.writer import KubeWriter, LeadershipLostError
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError, Body
from duravip_runtime.kube import JSON_PATCH, client_for, request

log = logging.getLogger(__name__)

STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
"""Of conditions it changes the one that it names, and leaves those of others."""


class ServiceWriter:
    """In the asyncio thread; its requests are made in a few threads of their own."""

    def __init__(
        self,
        settings: Settings,
        writer: KubeWriter,
        *,
        on_vip: Callable[[Body], None],
        on_vip_gone: Callable[[Body], None],
        on_service: Callable[[Body], None],
        on_failure: Callable[[Target, ObjectWrite, str | None], None],
    ) -> None:
        """The API server's answers go to the first three, in any thread.

        `on_failure` is told of each write that has failed, with the API server's words if it
        cannot succeed as it is, none if the object is another one by now, and None if there was
        no answer: what is still wanted has to be handed over again.
        """
        client = client_for("duravip-operator", settings.kubeconfig, MAX_IN_FLIGHT)
        self._vips: Any = CustomObjectsApi(client)
        self._services: Any = CoreV1Api(client)
        self._writer = writer
        self._on_vip, self._on_vip_gone = on_vip, on_vip_gone
        self._on_service, self._on_failure = on_service, on_failure
        self._writes = ServiceWrites()
        self._epoch: int | None = None
        self._pool = ThreadPoolExecutor(MAX_IN_FLIGHT, thread_name_prefix="services")
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: asyncio.TimerHandle | None = None
        self._is_failing = False

    def reset(self, epoch: int | None) -> None:
        """Another leadership: what waits was decided in one that is over."""
        self._epoch = epoch
        self._writes.clear()

    def want(self, writes: Mapping[Target, ObjectWrite]) -> None:
        """Make these writes, in this order, and no others, in the present leadership."""
        self._writes.want(writes, time.monotonic())
        self._begin()

    def hold(self) -> None:
        """Begin nothing more until the next `want`."""
        self._writes.hold()

    def unseen(self, is_seen: Callable[[str, Mapping[str, Any]], bool]) -> dict[str, ObjectWrite]:
        """The DuraVIPs that were sent, by `namespace/name`, and that the cache does not show yet.

        Who still wants one hands it over again: it may never have been carried out.
        """
        return self._writes.unseen(is_seen, time.monotonic())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be written."""
        return not self._writes

    def close(self) -> None:
        """Begin no further write; what is under way may take a second more."""
        self.reset(None)
        if self._due:
            self._due.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Begin what may begin now. When one ends, or becomes due, this is called again."""
        if self._due:
            self._due.cancel()
            self._due = None
        now = time.monotonic()
        while self._epoch is not None and (found := self._writes.take(now)):
            task = asyncio.create_task(self._run(*found, self._epoch), name=f"write {found[0]}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        due = self._writes.next_due() if self._epoch is not None else None
        if due is not None:
            pause = max(0.0, due - now)
            self._due = asyncio.get_running_loop().call_later(pause, self._begin)

    async def _run(self, target: Target, write: ObjectWrite, epoch: int) -> None:
        is_refused = False
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._write, target, write, epoch)
            if self._is_failing:
                log.info("what Services need is written again")
            self._is_failing = False
        except LeadershipLostError:
            is_refused = True
            self._on_failure(target, write, None)  # the Lease may be renewed in the same epoch
        except ApiError as error:
            is_refused = self._failed(target, write, error)
        except Exception:
            log.exception("cannot write %s %s", *target)
        finally:
            self._writes.done(target, is_refused=is_refused)
            self._begin()

    def _failed(self, target: Target, write: ObjectWrite, error: ApiError) -> bool:
        """Note why; whether the API server has refused it, so that nothing comes of it."""
        if error.is_transient:
            if not self._is_failing:
                log.warning("what Services need cannot be written, and waits: %s", error)
            self._is_failing = True
            self._on_failure(target, write, None)
            return False
        is_outdated = error.is_absent or error.is_conflict
        if not is_outdated:
            log.warning("cannot %s %s %s: %s", write.action, *target, error)
        self._on_failure(target, write, "" if is_outdated else str(error))
        return True

    def _write(self, target: Target, write: ObjectWrite, epoch: int) -> None:
        """Make one write; in a thread of the pool."""
        self._writer.no_urgent_write.wait()
        kind, key = target
        namespace, _, name = key.partition("/")
        prepare = {
            "create": self._create,
            "replace": self._replace,
            "delete": self._delete,
            "status": self._patch_status,
        }[write.action]
        # What has to be read first is read before: right before the write the leadership counts.
        self._writer.write_guarded(kind, prepare(namespace, name, write), epoch)

    def _create(self, namespace: str, name: str, write: ObjectWrite) -> Callable[[], Body]:
        where = (GROUP, VERSION, namespace, PLURALS["DuraVIP"])

        def create() -> Body:
            method = self._vips.create_namespaced_custom_object
            try:
                return self._told(self._on_vip, request(method, *where, dict(write.body)))
            except ApiError as error:
                if error.is_conflict:
                    # By an earlier try, a former leader or somebody else: the next plan sees whom.
                    method = self._vips.get_namespaced_custom_object
                    self._told(self._on_vip, request(method, *where, name))
                raise

        return create

    def _replace(self, namespace: str, name: str, write: ObjectWrite) -> Callable[[], Body]:
        where = (GROUP, VERSION, namespace, PLURALS["DuraVIP"], name)
        found = request(self._vips.get_namespaced_custom_object, *where)
        patch = replacement(found, write)
        call = partial(self._vips.patch_namespaced_custom_object, _content_type=JSON_PATCH)
        return lambda: self._told(self._on_vip, request(call, *where, patch))

    def _delete(self, namespace: str, name: str, write: ObjectWrite) -> Callable[[], Body]:
        where = (GROUP, VERSION, namespace, PLURALS["DuraVIP"], name)
        options = {"preconditions": {"uid": write.uid}}
        call = partial(self._vips.delete_namespaced_custom_object, body=options)

        def delete() -> Body:
            answer = request(call, *where)
            if answer.get("kind") == "Status":  # it is gone, and not only about to go
                meta = {"namespace": namespace, "name": name, "uid": write.uid}
                self._on_vip_gone({"metadata": meta})
            return answer

        return delete

    def _patch_status(self, namespace: str, name: str, write: ObjectWrite) -> Callable[[], Body]:
        call = partial(
            self._services.patch_namespaced_service_status,
            _content_type=STRATEGIC_MERGE_PATCH,
        )
        body = {"metadata": {"uid": write.uid}, **write.body}
        return lambda: self._told(self._on_service, request(call, name, namespace, body))

    @staticmethod
    def _told(take: Callable[[Body], None], answer: Body) -> Body:
        """The answer, which the cache takes as well."""
        take(answer)
        return answer


def replacement(found: Mapping[str, Any], write: ObjectWrite) -> list[Body]:
    """The JSON patch that makes the object that was read what it is to be.

    Labels and annotations of others stay: a request to move the address is one. It fails if the
    object is another one, or is written meanwhile.
    """
    meta, wanted = found["metadata"], write.body["metadata"]
    labels = {**(meta.get("labels") or {}), **wanted["labels"]}
    annotations = {**(meta.get("annotations") or {}), POOL: None, **wanted["annotations"]}
    kept = {name: text for name, text in annotations.items() if text is not None}
    return [
        {"op": "test", "path": "/metadata/uid", "value": write.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
        {"op": "add", "path": "/metadata/labels", "value": labels},
        {"op": "add", "path": "/metadata/annotations", "value": kept},
        {"op": "add", "path": "/metadata/ownerReferences", "value": wanted["ownerReferences"]},
        {"op": "replace", "path": "/spec", "value": write.body["spec"]},
    ]
