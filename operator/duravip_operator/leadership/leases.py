"""Reads and writes Leases, each class through a client of its own: nothing may hold them up."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, Final

from kubernetes.client import CoordinationV1Api

from duravip_api.timing import LONGEST_REQUEST
from duravip_operator.leadership.lease_rule import (
    LEASE_DURATION_S,
    RETRY_PERIOD_S,
    LeaseRecord,
    LeasesByNamespace,
    yields_to,
)
from duravip_runtime.api_error import ApiError, Body
from duravip_runtime.kube import RequestTimeout, client_for, request

log = logging.getLogger(__name__)

LEASE: Final = "duravip-operator"
REPLICA_LABEL: Final = "duravip.io/member"
PULSE_ANNOTATION: Final = "duravip.io/pulse"
PULSE_KEY_ANNOTATION: Final = "duravip.io/pulse-key"

WATCH_AT_START_S: Final = 3.0
"""At the start, another installation's Lease is watched for so long; a living one is renewed."""
CHECK_EVERY_S: Final = 0.5


def timestamp() -> str:
    """This moment, as Leases write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Leases:
    """The Leases of one namespace."""

    def __init__(
        self,
        kubeconfig: Path | None,
        namespace: str,
        annotations: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`annotations` gives what the Lease of the leader is to carry whenever it is written."""
        self._annotations = annotations
        self._api: Any = CoordinationV1Api(client_for("duravip-operator", kubeconfig, 1))
        self._namespace = namespace
        self._timeout = RequestTimeout(RETRY_PERIOD_S, LONGEST_REQUEST / 2)

    def load(self) -> LeaseRecord:
        """The Lease that stands for leadership."""
        return record_of(self.read(LEASE))

    def save(self, wanted: LeaseRecord) -> LeaseRecord:
        """Make it, or replace exactly the version that `wanted` has."""
        body = body_of(wanted, LEASE)
        body["metadata"]["annotations"] = dict(self._annotations())
        return record_of(self.write(body))

    def read(self, name: str) -> Body | None:
        """One Lease; None when there is none."""
        try:
            return self._call(self._api.read_namespaced_lease, name, self._namespace)
        except ApiError as error:
            if error.is_absent:
                return None
            raise

    def write(self, body: Body) -> Body:
        """Make it, or replace exactly the version that the body names."""
        metadata = body["metadata"]
        whole = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **body}
        if not metadata.get("resourceVersion"):
            call = self._api.create_namespaced_lease
            return self._call(call, self._namespace, whole)
        call = self._api.replace_namespaced_lease
        return self._call(call, metadata["name"], self._namespace, whole)

    def list_replica_leases(self) -> list[Body]:
        """Those by which replicas announce themselves."""
        selector = f"{REPLICA_LABEL}={LEASE}"
        call = self._api.list_namespaced_lease
        found = self._call(call, self._namespace, label_selector=selector)
        return found.get("items") or []

    def delete(self, name: str, version: str | None = None) -> None:
        """Delete a Lease, with `version` only while it still has that."""
        options = {"preconditions": {"resourceVersion": version}} if version else None
        call = self._api.delete_namespaced_lease
        try:
            self._call(call, name, self._namespace, body=options)
        except ApiError as error:
            if not (error.is_absent or error.is_conflict):
                raise

    def _call(self, call: Callable[..., object], *args: object, **options: Any) -> Body:
        return request(call, *args, timeout=self._timeout, **options)


def record_of(body: Body | None) -> LeaseRecord:
    """The Lease that a body holds; what cannot be read counts as absent."""
    if body is None:
        return LeaseRecord()
    spec = body.get("spec") or {}
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        epoch=int(spec.get("leaseTransitions") or 0),
        acquired=str(spec.get("acquireTime") or ""),
        renewed=str(spec.get("renewTime") or ""),
        lasts=float(spec.get("leaseDurationSeconds") or LEASE_DURATION_S),
        version=str(body["metadata"]["resourceVersion"]),
    )


def body_of(wanted: LeaseRecord, name: str) -> Body:
    """The body by which a record is written."""
    metadata = {"name": name}
    if wanted.version:
        metadata["resourceVersion"] = wanted.version
    spec = {
        "holderIdentity": wanted.holder,
        "leaseTransitions": wanted.epoch,
        "leaseDurationSeconds": round(wanted.lasts),
        "acquireTime": wanted.acquired or wanted.renewed,
        "renewTime": wanted.renewed,
    }
    return {"metadata": metadata, "spec": spec}


class OtherInstallations:
    """Looks for another installation, at the Leases of all of them."""

    def __init__(self, kubeconfig: Path | None, namespace: str) -> None:
        self._api: Any = CoordinationV1Api(client_for("duravip-operator", kubeconfig, 1))
        self._namespace = namespace
        self._before: LeasesByNamespace = {}
        self._is_forbidden = False

    def check(self) -> str:
        """Look once more; a sentence when we must give way. Raises ApiError."""
        if self._is_forbidden:
            return ""
        before, after = self._before, self._list_leases()
        self._before = after
        found = yields_to(before, after, self._namespace)
        if not found:
            return ""
        return (
            f"another DuraVIP leads in this cluster: replica {after[found].holder} in the "
            f"namespace {found}. A cluster has one installation; uninstall one of the two"
        )

    def check_at_start(self, stopping: Event) -> str:
        """Look for as long as it takes to know whether there is another one: mostly not at all."""
        end = time.monotonic() + WATCH_AT_START_S
        while not stopping.is_set():
            try:
                if found := self.check():
                    return found
            except ApiError as error:
                log.debug("cannot look for another installation: %s", error)
            others = {name for name, found in self._before.items() if found.holder}
            if not others - {self._namespace} or time.monotonic() >= end:
                return ""
            stopping.wait(CHECK_EVERY_S)
        return ""

    def _list_leases(self) -> LeasesByNamespace:
        call = self._api.list_lease_for_all_namespaces
        try:
            found = request(call, field_selector=f"metadata.name={LEASE}")
        except ApiError as error:
            if error.is_refused:
                self._is_forbidden = True
                log.warning("cannot see whether another DuraVIP leads in this cluster: %s", error)
                return {}
            raise
        items = found.get("items") or []
        return {body["metadata"]["namespace"]: record_of(body) for body in items}
