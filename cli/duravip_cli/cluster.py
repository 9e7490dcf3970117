"""The API server: lists, single objects, two kinds of writes, and commands in our pods.

Written are a label, and annotations.

All requests go through one function, since the client's classes for the API groups would take half
a second to be imported. Every failure is translated into a CommandError of one line here, and
nowhere else.
"""

import json
import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.config import KUBE_CONFIG_DEFAULT_LOCATION

from duravip_api import API_VERSION, GROUP, PLURALS
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.exec_stream import ExecError, run_in_pod
from duravip_cli.objects import SYSTEM_NAMESPACE, Body, Kind
from duravip_operator.core.endpoints import SERVICE_NAME_LABEL
from duravip_runtime.kube import ERRORS, MERGE_PATCH, PAGE, configuration_from, message_of
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError

HTTP_NOT_FOUND: Final = 404
_FORBIDDEN: Final = re.compile(r'is forbidden: User "([^"]*)"')
"""The rest of that sentence repeats what was asked for."""


class AbsentError(CommandError):
    """The object, or its kind, does not exist."""


def load_configuration(kubeconfig: str | None, context: str | None) -> Any:
    """The API server's address and the credentials; CommandError when there are none.

    In a pod its own identity counts, unless there is a kubeconfig.
    """
    # Not Path.expanduser(): it fails where the user has neither a HOME nor an entry in passwd.
    usual = os.path.expanduser(KUBE_CONFIG_DEFAULT_LOCATION)  # noqa: PTH111
    is_given = kubeconfig or context or os.environ.get("KUBECONFIG") or Path(usual).exists()
    is_in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not is_given
    try:
        return configuration_from(None if is_in_pod else Path(kubeconfig or usual), context)
    except SettingsError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


def to_command_error(what: str, error: ApiException) -> CommandError:
    """Translate a refusal of the API server; `what` completes the sentence "cannot …"."""
    message, _ = message_of(error)
    if error.status in {401, 403}:
        user = _FORBIDDEN.search(message)
        return CommandError(f"you may not {what} ({f'as {user[1]}' if user else message})")
    if error.status == HTTP_NOT_FOUND:
        if what.startswith("list ") and GROUP in what:
            why = (
                "the API server does not know DuraVIP's kinds: apply its CustomResourceDefinitions"
            )
            return AbsentError(why, ExitCode.USAGE)
        return AbsentError(f"cannot {what}: {message}")
    return CommandError(f"cannot {what}: {error.status}: {message}")


_WRAPPING: Final = re.compile(r".*(?:<[^>]*>|HTTPS?Connection\([^)]*\)): ")


def root_cause(error: Exception) -> str:
    """The innermost reason of an error, without the client's wrapping."""
    return _WRAPPING.sub("", str(getattr(error, "reason", None) or error)) or str(error)


TIMEOUTS_S: Final = (5, 30)
"""To connect, and to receive the answer."""
CLOCK_TOLERANCE_S: Final = 2.0
"""A smaller difference of clocks may come from the time that the answer takes."""
NAMES_AT_ONCE: Final = 250
"""Services that one request names: proxies limit its length."""
_JSON: Final = "application/json"
_FROM_CACHE: Final = {"resourceVersion": "0"}
"""Reads from the API server's cache: half the time of a read from etcd, and all in one page."""


class Cluster:
    """The cluster of a kubeconfig."""

    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None,
        timeouts: tuple[float, float] = TIMEOUTS_S,
    ) -> None:
        self._timeouts = timeouts
        settings = load_configuration(kubeconfig, context)
        self._url = str(settings.host)
        self._connection: Any = ApiClient(settings)
        self._connection.user_agent = f"kubectl-duravip/{PROGRAM_VERSION}"  # type: ignore[attr-defined]
        self._ahead: float | None = None

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        """Every object of the kind, or those of one namespace, with these labels."""
        what = f"list {_resource(kind)}"
        what += f" in the namespace {namespace}" if namespace else ""
        query = {**_FROM_CACHE, **({"labelSelector": selector} if selector else {})}
        return self._list(what, _path(kind, namespace), query)

    def services(self, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        """The Services of type LoadBalancer, as far as their labels match a selector."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}" if namespace else "/api/v1"
        query = {"fieldSelector": "spec.type=LoadBalancer", **_FROM_CACHE}
        query |= {"labelSelector": selector} if selector else {}
        return self._list("list services", f"{path}/services", query)

    def others(self, path: str, kind: str) -> tuple[Body, ...]:
        """Every object at a path of the API, of a kind that is not ours; none where it is unknown.

        With the kind and the version, which a list leaves out of its items.
        """
        group = path.removeprefix("/apis/").removeprefix("/api/").split("/")
        version = "/".join(group[:2]) if path.startswith("/apis/") else group[0]
        plural = path.rpartition("/")[2]
        try:
            found = self._list(f"list {plural}", path, _FROM_CACHE)
        except AbsentError:
            return ()
        return tuple({**body, "apiVersion": version, "kind": kind} for body in found)

    def read(self, kind: Kind, name: str, namespace: str = "") -> Body | None:
        """One object, read from etcd; None when there is none."""
        what = f"get the node {name}" if kind == "Node" else f"get {_resource(kind)} {name}"
        return self._get(what, _path(kind, namespace, name))

    def label_node(self, name: str, label: str, value: str | None) -> None:
        """Set a label of a Node, or remove it."""
        self._patch(f"label the node {name}", _path("Node", "", name), "labels", {label: value})

    def annotate(self, kind: Kind, body: Body, values: Mapping[str, str | None]) -> None:
        """Set annotations of an object, or remove those whose value is None."""
        meta = body["metadata"]
        path = _path(kind, meta.get("namespace", ""), meta["name"])
        self._patch(f"annotate {_resource(kind)} {meta['name']}", path, "annotations", values)

    def events(self, namespace: str = "", name: str = "") -> tuple[Body, ...]:
        """The Events about our objects of this name; without one about all of them."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}" if namespace else "/api/v1"
        about = f"involvedObject.apiVersion={API_VERSION}"
        about += f",involvedObject.name={name}" if name else ""
        what = f"list events in {f'the namespace {namespace}' if namespace else 'all namespaces'}"
        return self._list(what, f"{path}/events", {"fieldSelector": about})

    def leases(self, namespace: str) -> tuple[Body, ...]:
        """The Leases of a namespace."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
        return self._list(f"list leases in the namespace {namespace}", path, {})

    def endpoint_slices(self, services: Collection[str]) -> tuple[Body, ...] | None:
        """The EndpointSlices of Services of these names; None: they may not be read."""
        names, path = sorted(services), "/apis/discovery.k8s.io/v1/endpointslices"
        found: tuple[Body, ...] = ()
        with suppress(CommandError):
            for i in range(0, len(names), NAMES_AT_ONCE):
                some = ",".join(names[i : i + NAMES_AT_ONCE])
                query = {"labelSelector": f"{SERVICE_NAME_LABEL} in ({some})", **_FROM_CACHE}
                found += self._list("list endpointslices", path, query)
            return found
        return None

    def leader_lease(self) -> Body | None:
        """The Lease of the operator's leader; None: there is none, or it may not be read.

        The chart's namespace is tried first, then all namespaces.
        """
        name, api = "duravip-operator", "/apis/coordination.k8s.io/v1"
        with suppress(CommandError):
            path = f"{api}/namespaces/{SYSTEM_NAMESPACE}/leases/{name}"
            if lease := self._get(f"get the Lease {name}", path):
                return lease
        with suppress(CommandError):
            query = {"fieldSelector": f"metadata.name={name}"}
            leases = self._list("list leases", f"{api}/leases", query)
            renewed = [str((b.get("spec") or {}).get("renewTime") or "") for b in leases]
            latest = max(zip(renewed, leases, strict=True), key=itemgetter(0), default=None)
            return latest[1] if latest else None
        return None

    def definition(self, name: str) -> Body | None:
        """A CustomResourceDefinition; None when there is none."""
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        return self._get(f"get the CustomResourceDefinition {name}", path)

    def pods(self, namespace: str) -> tuple[Body, ...]:
        """The pods of DuraVIP in this namespace."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        ours = {"labelSelector": "app.kubernetes.io/name=duravip"}
        return self._list(f"list pods in the namespace {namespace}", path, ours)

    def run_in_pod(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
        """Run a command in a container, and give what it printed; CommandError if it fails."""
        what = f"run {command[0]} in the pod {pod} of the namespace {namespace}"
        try:
            return run_in_pod(self._connection, namespace, pod, container, command)
        except ApiException as error:
            raise to_command_error(what, error) from error
        except ExecError as error:
            raise CommandError(str(error)) from error

    def webhook(self) -> Body | None:
        """The configuration of DuraVIP's admission webhook; None when there is none."""
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/duravip"
        return self._get("get the ValidatingWebhookConfiguration duravip", path)

    def config_map(self, namespace: str, name: str) -> Body | None:
        """A ConfigMap; None when there is none."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps/{quote(name, safe='')}"
        return self._get(f"get the ConfigMap {name} in the namespace {namespace}", path)

    def dry_run(self, body: Body) -> str:
        """The refusal of a dry run that creates this DuraVIP; empty: it would be admitted."""
        path = _path("DuraVIP", body["metadata"]["namespace"])
        try:
            self._request("create a DuraVIP", path, {"dryRun": "All"}, body)
        except CommandError as error:
            if error.code is ExitCode.USAGE or "admission webhook" not in str(error):
                raise
            return str(error)
        return ""

    def version(self) -> str:
        """The API server's own version."""
        return str(self._request("ask for the version", "/version").get("gitVersion", "?"))

    def clock_ahead(self) -> float | None:
        """By how many seconds our clock is ahead of the API server's; None: it sends no date."""
        self.version()
        return self._ahead

    def now(self) -> datetime:
        """The time, by the cluster's clock where ours is wrong."""
        ahead = self.clock_ahead() or 0.0
        wrong = ahead if abs(ahead) > CLOCK_TOLERANCE_S else 0.0
        return datetime.now(UTC) - timedelta(seconds=wrong)

    def _patch(self, what: str, path: str, part: str, values: Mapping[str, str | None]) -> None:
        self._request(what, path, body={"metadata": {part: dict(values)}})

    def _list(self, what: str, path: str, query: Mapping[str, str]) -> tuple[Body, ...]:
        items: list[Body] = []
        parameters = {**query, "limit": str(PAGE)}
        while True:
            page = self._request(what, path, parameters)
            items += page.get("items") or []
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return tuple(items)
            parameters = {k: v for k, v in parameters.items() if k not in _FROM_CACHE}
            parameters["continue"] = token

    def _get(self, what: str, path: str) -> Body | None:
        try:
            return self._request(what, path)
        except AbsentError:
            return None

    def _request(
        self,
        what: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Body:
        try:
            response: Body = json.loads(self._send(path, query or {}, body).data)
        except ApiException as error:
            if error.status:
                raise to_command_error(what, error) from error
            why = f"cannot reach the API server at {self._url}: {error.reason}"
            raise CommandError(why, ExitCode.USAGE) from error  # TLS, mostly
        except (*ERRORS, ValueError) as error:
            why = f"cannot reach the API server at {self._url}: {root_cause(error)}"
            raise CommandError(why, ExitCode.USAGE) from error
        return response

    def _send(self, path: str, query: Mapping[str, str], body: Body | None) -> Any:
        is_new = body is not None and "kind" in body
        form = {"Content-Type": _JSON if is_new else MERGE_PATCH} if body else {}
        request = self._connection.param_serialize(
            "POST" if is_new else "PATCH" if body else "GET",
            path,
            query_params=list(query.items()),
            header_params={"Accept": _JSON} | form,
            body=body,
            auth_settings=["BearerToken"],
        )
        began = time.time()
        answer = self._connection.call_api(*request, _request_timeout=self._timeouts)
        self._note_clock(answer.getheader("Date"), (began + time.time()) / 2)
        answer.read()
        if answer.status >= 300:  # noqa: PLR2004 - HTTP's codes for anything but success
            raise ApiException(http_resp=answer)
        return answer

    def _note_clock(self, date: str | None, ours: float) -> None:
        """Compare the clocks; the header has whole seconds, and so half a second is expected."""
        try:
            self._ahead = ours - parsedate_to_datetime(date or "").timestamp() - 0.5
        except ValueError:
            self._ahead = None


def _resource(kind: Kind) -> str:
    return "nodes" if kind == "Node" else f"{PLURALS[kind]}.{GROUP}"


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    start = "/api/v1/nodes" if kind == "Node" else f"/apis/{API_VERSION}"
    if kind != "Node":
        start += f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        start += f"/{PLURALS[kind]}"
    return f"{start}/{quote(name, safe='')}" if name else start
