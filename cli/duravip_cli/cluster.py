"""The API server: lists by pages, a few single objects, and one write: a Node's label.

Whatever it answers, or does not, becomes a CommandError of one line here and nowhere else.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from duravip_api import GROUP, VERSION
from duravip_cli.connection import (
    FAILURES,
    AbsentError,
    cause,
    configuration_from,
    translated,
)
from duravip_cli.core.lists import Body, Kind
from duravip_cli.errors import Code, CommandError

PAGE: Final = 500
TIMEOUT: Final = (5, 30)
"""Seconds to connect, and to be answered."""
PLURALS: Final = {
    "DuraVIP": "duravips",
    "Binding": "vipbindings",
    "Topology": "topologies",
    "NodePlumbing": "nodeplumbings",
}
_MERGE: Final = "application/merge-patch+json"


class Cluster:
    """The cluster that a kubeconfig leads to."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        settings = configuration_from(kubeconfig, context)
        settings.retries = False  # an API server that is away shall be told of at once
        self._url = str(settings.host)
        connection = client.ApiClient(settings)
        self._custom: Any = client.CustomObjectsApi(connection)
        self._core: Any = client.CoreV1Api(connection)
        self._connection = connection

    def list(self, kind: Kind, namespace: str = "") -> tuple[Body, ...]:
        """Every object of the kind, or those of one namespace."""
        if kind == "Node":
            return self._pages("list nodes", self._core.list_node)
        plural = PLURALS[kind]
        what = f"list {plural}.{GROUP}"
        if not namespace:
            where = (GROUP, VERSION, plural)
            return self._pages(what, self._custom.list_cluster_custom_object, *where)
        call = self._custom.list_namespaced_custom_object
        what = f"{what} in the namespace {namespace}"
        return self._pages(what, call, GROUP, VERSION, namespace, plural)

    def read(self, kind: Kind, name: str) -> Body | None:
        """One cluster-wide object; None when there is none."""
        if kind == "Node":
            return self._found(f"get the node {name}", self._core.read_node, name)
        where = (GROUP, VERSION, PLURALS[kind], name)
        call = self._custom.get_cluster_custom_object
        return self._found(f"get {PLURALS[kind]}.{GROUP} {name}", call, *where)

    def label_node(self, name: str, label: str, value: str | None) -> None:
        """Set a label of a Node, or remove it."""
        body = {"metadata": {"labels": {label: value}}}
        call = self._core.patch_node
        self._asked(f"label the node {name}", call, name, body, _content_type=_MERGE)

    def events(self, namespace: str, name: str) -> tuple[Body, ...]:
        """The Events about objects of this name."""
        call, about = self._core.list_namespaced_event, f"involvedObject.name={name}"
        what = f"list events in the namespace {namespace}"
        return self._pages(what, call, namespace, field_selector=about)

    def leases(self, namespace: str) -> tuple[Body, ...]:
        """The Leases of a namespace."""
        call = client.CoordinationV1Api(self._connection).list_namespaced_lease
        return self._pages(f"list leases in the namespace {namespace}", call, namespace)

    def definition(self, name: str) -> Body | None:
        """A CustomResourceDefinition; None when there is none."""
        call = client.ApiextensionsV1Api(self._connection).read_custom_resource_definition
        return self._found(f"get the CustomResourceDefinition {name}", call, name)

    def version(self) -> str:
        """The API server's own version."""
        found = self._asked("ask for the version", client.VersionApi(self._connection).get_code)
        return str(found.get("gitVersion", "unknown"))

    def _pages(
        self, what: str, call: Callable[..., Any], *args: str, **options: Any
    ) -> tuple[Body, ...]:
        items: list[Body] = []
        token = ""
        while True:
            more = {"_continue": token} if token else {}
            page = self._asked(what, call, *args, limit=PAGE, **more, **options)
            items += page.get("items") or []
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return tuple(items)

    def _found(self, what: str, call: Callable[..., Any], *args: str) -> Body | None:
        try:
            return self._asked(what, call, *args)
        except AbsentError:
            return None

    def _asked(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> Body:
        try:
            answer = call(*args, _preload_content=False, _request_timeout=TIMEOUT, **options)
            found: Body = json.loads(answer.data)
        except ApiException as error:
            raise translated(what, error) from error
        except (*FAILURES, ValueError) as error:
            why = f"cannot reach the API server at {self._url}: {cause(error)}"
            raise CommandError(why, Code.UNUSABLE) from error
        return found
