"""One installation a cluster: another one, in another namespace, has a Lease of its own.

Both would lead, and each would write over what the other one has written. Every installation has
its Lease in its own namespace, so all of them are looked at. One is alive when somebody holds its
Lease and has renewed it between two looks; no clocks are compared. Whoever finds another one alive
gives up, unless its own installation has led for longer.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any, Final

from kubernetes.client import CoordinationV1Api

from duravip_operator.leadership.lease_rule import LeaseRecord
from duravip_operator.leadership.leases import LEASE, record_of
from duravip_runtime.api_error import ApiError
from duravip_runtime.kube import client_for, request

log = logging.getLogger(__name__)

WATCH_AT_START_S: Final = 3.0
"""At the start, another installation's Lease is watched for so long; a living one is renewed."""
CHECK_EVERY_S: Final = 0.5

LeasesByNamespace = Mapping[str, LeaseRecord]
"""By namespace."""


def yields_to(before: LeasesByNamespace, after: LeasesByNamespace, ours: str) -> str:
    """The namespace of the installation to which we give way; empty: there is none."""
    alive = {
        namespace: found
        for namespace, found in after.items()
        if found.holder and namespace in before and before[namespace].version != found.version
    }
    ages = sorted((found.acquired, namespace) for namespace, found in alive.items())
    return ages[0][1] if ages and ages[0][1] != ours else ""


def conflict_message(namespace: str, holder: str) -> str:
    """What is said of it."""
    return (
        f"another DuraVIP leads in this cluster: replica {holder} in the namespace {namespace}. "
        "A cluster has one installation; uninstall one of the two"
    )


class OtherInstallations:
    """Looks at the Leases of all installations."""

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
        return conflict_message(found, after[found].holder) if found else ""

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
