"""The API server: lists, single objects, and two kinds of writes: a label, and annotations.

One way of asking for everything: the client's class for each group would take half a second to be
imported. Whatever the server answers, or does not, becomes a CommandError of one line here and
nowhere else.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import urllib3
from kubernetes import client, config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException, OpenApiException

from duravip_api import API_VERSION, GROUP
from duravip_cli.errors import Code, CommandError
from duravip_cli.views.objects import SYSTEM_NAMESPACE, Body, Kind

FAILURES: Final = (OpenApiException, urllib3.exceptions.HTTPError, OSError)
"""What a request of the client may raise."""
NOT_FOUND: Final = 404


class AbsentError(CommandError):
    """There is no such object, or kind."""


def configuration_from(kubeconfig: str | None, context: str | None) -> Any:
    """Where the API server is, and as whom to ask it; CommandError when that is not known."""
    settings: Any = client.Configuration()
    try:
        if not kubeconfig and not context and _is_in_pod():
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(kubeconfig, context, client_configuration=settings)
    except Exception as error:  # whatever a malformed file makes the library raise
        where = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        why = f"cannot read how to reach the API server ({where}): {error}"
        raise CommandError(why, Code.UNUSABLE) from error
    return settings


def _is_in_pod() -> bool:
    # Not Path.expanduser(): it fails where the user has neither a HOME nor an entry in passwd.
    usual = os.path.expanduser(config.KUBE_CONFIG_DEFAULT_LOCATION)  # noqa: PTH111
    own = os.environ.get("KUBECONFIG") or Path(usual).exists()
    return "KUBERNETES_SERVICE_HOST" in os.environ and not own


def translated(what: str, error: ApiException) -> CommandError:
    """What the API server has against it, in one line."""
    said = _message(error)
    if error.status in {401, 403}:
        return CommandError(f"you may not {what}: {said}")
    if error.status == NOT_FOUND:
        if what.startswith("list ") and GROUP in what:
            why = (
                "the API server does not know DuraVIP's kinds: apply its CustomResourceDefinitions"
            )
            return AbsentError(why, Code.UNUSABLE)
        return AbsentError(f"cannot {what}: {said}")
    return CommandError(f"cannot {what}: {error.status}: {said}")


def _message(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or error.reason or "no reason given")[:300]


def cause(error: Exception) -> str:
    """What lies below the client's own words for it."""
    reason = getattr(error, "reason", None)
    return str(reason or error).rpartition(">: ")[2] or str(error)


PAGE: Final = 500
TIMEOUT: Final = (5, 30)
"""Seconds to connect, and to be answered."""
TOLERATED: Final = 2.0
"""A difference of clocks that may just as well come from the answer's way, in seconds."""
PLURALS: Final = {
    "DuraVIP": "duravips",
    "Binding": "vipbindings",
    "Topology": "topologies",
    "NodePlumbing": "nodeplumbings",
}
_JSON: Final = "application/json"
_MERGE: Final = "application/merge-patch+json"
_CACHED: Final = {"resourceVersion": "0"}
"""As the API server's cache has it: half the time of asking etcd, and all in one answer."""


class Cluster:
    """The cluster that a kubeconfig leads to."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        settings = configuration_from(kubeconfig, context)
        settings.retries = False  # an API server that is away shall be told of at once
        self._url = str(settings.host)
        self._connection: Any = ApiClient(settings)
        self._connection.user_agent = f"kubectl-duravip/{version('duravip')}"  # type: ignore[attr-defined]
        self._ahead: float | None = None

    def list(self, kind: Kind, namespace: str = "") -> tuple[Body, ...]:
        """Every object of the kind, or those of one namespace."""
        what = f"list {_named(kind)}"
        what += f" in the namespace {namespace}" if namespace else ""
        return self._pages(what, _path(kind, namespace), _CACHED)

    def read(self, kind: Kind, name: str, namespace: str = "") -> Body | None:
        """One object as it is now; None when there is none."""
        what = f"get the node {name}" if kind == "Node" else f"get {_named(kind)} {name}"
        return self._found(what, _path(kind, namespace, name))

    def label_node(self, name: str, label: str, value: str | None) -> None:
        """Set a label of a Node, or remove it."""
        self._patch(f"label the node {name}", _path("Node", "", name), "labels", {label: value})

    def annotate(self, kind: Kind, body: Body, values: Mapping[str, str | None]) -> None:
        """Set annotations of an object, or remove those whose value is None."""
        meta = body["metadata"]
        path = _path(kind, meta.get("namespace", ""), meta["name"])
        self._patch(f"annotate {_named(kind)} {meta['name']}", path, "annotations", values)

    def events(self, namespace: str, name: str) -> tuple[Body, ...]:
        """The Events about objects of this name."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/events"
        about = {"fieldSelector": f"involvedObject.name={name}"}
        return self._pages(f"list events in the namespace {namespace}", path, about)

    def leases(self, namespace: str) -> tuple[Body, ...]:
        """The Leases of a namespace."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
        return self._pages(f"list leases in the namespace {namespace}", path, {})

    def leader_lease(self) -> Body | None:
        """The Lease of the operator's leader; None when there is none or it is not for us.

        Looked for where the chart puts it first, and then everywhere.
        """
        name, api = "duravip-operator", "/apis/coordination.k8s.io/v1"
        with suppress(CommandError):
            path = f"{api}/namespaces/{SYSTEM_NAMESPACE}/leases/{name}"
            if found := self._found(f"get the Lease {name}", path):
                return found
        with suppress(CommandError):
            query = {"fieldSelector": f"metadata.name={name}"}
            found_all = self._pages("list leases", f"{api}/leases", query)
            renewed = [str((b.get("spec") or {}).get("renewTime") or "") for b in found_all]
            latest = max(zip(renewed, found_all, strict=True), key=itemgetter(0), default=None)
            return latest[1] if latest else None
        return None

    def definition(self, name: str) -> Body | None:
        """A CustomResourceDefinition; None when there is none."""
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        return self._found(f"get the CustomResourceDefinition {name}", path)

    def pods(self, namespace: str) -> tuple[Body, ...]:
        """The pods of DuraVIP in this namespace."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        ours = {"labelSelector": "app.kubernetes.io/name=duravip"}
        return self._pages(f"list pods in the namespace {namespace}", path, ours)

    def webhook(self) -> Body | None:
        """The configuration of DuraVIP's admission webhook; None when there is none."""
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/duravip"
        return self._found("get the ValidatingWebhookConfiguration duravip", path)

    def dry_run(self, body: Body) -> str:
        """What is said to whoever creates this DuraVIP, as a dry run; empty: it is let in."""
        path = _path("DuraVIP", body["metadata"]["namespace"])
        try:
            self._asked("create a DuraVIP", path, {"dryRun": "All"}, body)
        except CommandError as error:
            if error.code is Code.UNUSABLE or "admission webhook" not in str(error):
                raise
            return str(error)
        return ""

    def version(self) -> str:
        """The API server's own version."""
        return str(self._asked("ask for the version", "/version").get("gitVersion", "?"))

    def ahead(self) -> float | None:
        """By how many seconds our clock is ahead of the API server's; None: it does not say."""
        self.version()
        return self._ahead

    def now(self) -> datetime:
        """The time, by the cluster's clock where ours is wrong."""
        ahead = self.ahead() or 0.0
        wrong = ahead if abs(ahead) > TOLERATED else 0.0
        return datetime.now(UTC) - timedelta(seconds=wrong)

    def _patch(self, what: str, path: str, part: str, values: Mapping[str, str | None]) -> None:
        self._asked(what, path, body={"metadata": {part: dict(values)}})

    def _pages(self, what: str, path: str, query: Mapping[str, str]) -> tuple[Body, ...]:
        items: list[Body] = []
        asked = {**query, "limit": str(PAGE)}
        while True:
            page = self._asked(what, path, asked)
            items += page.get("items") or []
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return tuple(items)
            asked = {k: v for k, v in asked.items() if k not in _CACHED} | {"continue": token}

    def _found(self, what: str, path: str) -> Body | None:
        try:
            return self._asked(what, path)
        except AbsentError:
            return None

    def _asked(
        self,
        what: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Body:
        try:
            found: Body = json.loads(self._answer(path, query or {}, body).data)
        except ApiException as error:
            raise translated(what, error) from error
        except (*FAILURES, ValueError) as error:
            why = f"cannot reach the API server at {self._url}: {cause(error)}"
            raise CommandError(why, Code.UNUSABLE) from error
        return found

    def _answer(self, path: str, query: Mapping[str, str], body: Body | None) -> Any:
        is_new = body is not None and "kind" in body
        form = {"Content-Type": _JSON if is_new else _MERGE} if body else {}
        request = self._connection.param_serialize(
            "POST" if is_new else "PATCH" if body else "GET",
            path,
            query_params=list(query.items()),
            header_params={"Accept": _JSON} | form,
            body=body,
            auth_settings=["BearerToken"],
        )
        began = time.time()
        answer = self._connection.call_api(*request, _request_timeout=TIMEOUT)
        self._note_clock(answer.getheader("Date"), (began + time.time()) / 2)
        answer.read()
        if answer.status >= 300:  # noqa: PLR2004 - HTTP's codes for anything but success
            raise ApiException(http_resp=answer)
        return answer

    def _note_clock(self, date: str | None, ours: float) -> None:
        """What the answer says of the clock there; it counts in whole seconds."""
        try:
            self._ahead = ours - parsedate_to_datetime(date or "").timestamp() - 0.5
        except ValueError:
            self._ahead = None


def _named(kind: Kind) -> str:
    return "nodes" if kind == "Node" else f"{PLURALS[kind]}.{GROUP}"


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    start = "/api/v1/nodes" if kind == "Node" else f"/apis/{API_VERSION}"
    if kind != "Node":
        start += f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        start += f"/{PLURALS[kind]}"
    return f"{start}/{quote(name, safe='')}" if name else start
