"""The objects of a world, written and read by a client that stays connected.

A kubectl for each of them would be most of what a scenario takes.
"""

import json
from http import HTTPStatus
from typing import Any, Final

from kubernetes import client

from api.real_objects import GROUP, Body
from duravip_api.services import SERVICE_LABEL
from lab.cluster import Lab

PLURALS: Final = {
    "DuraVIP": "duravips",
    "Binding": "vipbindings",
    "AddressPool": "addresspools",
    "Topology": "topologies",
}
APPLYING: Final = {
    "field_manager": "kubectl",
    "field_validation": "Strict",
    "force": True,
    "_content_type": "application/apply-patch+yaml",
}
MERGE: Final = "application/merge-patch+json"


class RealApi:
    """The API server of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._client = lab.api()
        # The stubs do not know `_content_type`.
        self._custom: Any = client.CustomObjectsApi(self._client)
        self._core: Any = client.CoreV1Api(self._client)

    # --- the objects of our kinds, and Services

    def listed(self, plural: str) -> list[Body]:
        """All objects of a kind."""
        found: list[Body] = self._custom.list_cluster_custom_object(*GROUP, plural)["items"]
        return found

    def services(self) -> list[Body]:
        """All Services of type LoadBalancer."""
        listed = self._core.list_service_for_all_namespaces(
            field_selector="spec.type=LoadBalancer", _preload_content=False
        )
        found: list[Body] = json.loads(listed.data)["items"]
        return found

    def apply(self, body: Body) -> None:
        """Create it, or make it so."""
        meta = body["metadata"]
        if body["kind"] == "Service":
            where = (meta["name"], meta["namespace"])
            self._core.patch_namespaced_service(*where, body, **APPLYING)
            return
        plural = PLURALS[body["kind"]]
        if "namespace" in meta:
            where = (*GROUP, meta["namespace"], plural, meta["name"])
            self._custom.patch_namespaced_custom_object(*where, body, **APPLYING)
        else:
            self._custom.patch_cluster_custom_object(
                *GROUP, plural, meta["name"], body, **APPLYING
            )

    def try_out(self, body: Body) -> str:
        """Create a namespaced object, but only as a dry run; what is said against it."""
        where = (*GROUP, body["metadata"]["namespace"], PLURALS[body["kind"]])
        try:
            self._custom.create_namespaced_custom_object(*where, body, dry_run="All")
        except client.ApiException as error:
            return str(error.body)
        return ""

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """It must be there; without a namespace it is of the cluster."""
        if kind == "Service":
            self._core.delete_namespaced_service(name, namespace)
        elif namespace:
            where = (*GROUP, namespace, PLURALS[kind], name)
            self._custom.delete_namespaced_custom_object(*where)
        else:
            self._custom.delete_cluster_custom_object(*GROUP, PLURALS[kind], name)

    def delete_all(self) -> None:
        """Whatever people have written; the operator deletes what it has generated of it."""
        for body in self.services():
            self.delete("Service", body["metadata"]["namespace"], body["metadata"]["name"])
        for kind, plural in PLURALS.items():
            for body in self.listed(plural):
                meta = body["metadata"]
                if SERVICE_LABEL not in meta.get("labels", {}):
                    self.delete(kind, meta.get("namespace", ""), meta["name"])

    # --- namespaces and nodes

    def create_namespace(self, name: str) -> None:
        """Unless it is there."""
        try:
            self._core.create_namespace({"metadata": {"name": name}})
        except client.ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise

    def nodes(self) -> dict[str, Body]:
        """Every Node by its name, as it can be created again."""
        found = self._client.sanitize_for_serialization(self._core.list_node())["items"]
        return {
            body["metadata"]["name"]: {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {part: body["metadata"][part] for part in ("name", "labels")},
                "status": {"addresses": body["status"]["addresses"]},
            }
            for body in found
        }

    def create_node(self, body: Body) -> None:
        """Somebody adds a node."""
        self._core.create_node(body)

    def relabel_node(self, name: str, labels: dict[str, str | None]) -> None:
        """Set labels, and take away those that are None."""
        self._core.patch_node(name, {"metadata": {"labels": labels}}, _content_type=MERGE)

    def delete_node(self, name: str) -> None:
        """Somebody removes it."""
        self._core.delete_node(name)
