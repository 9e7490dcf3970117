"""The file for kube-state-metrics: every field that it names is one of the kinds."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
import yaml

from duravip_api.manifest import manifests
from lab.charts import CHART

FILE: Final = yaml.safe_load((CHART / "files/kube-state-metrics.yaml").read_text())
RESOURCES: Final = FILE["spec"]["resources"]
CRDS: Final = {
    crd["spec"]["names"]["kind"]: crd["spec"] for crd in map(yaml.safe_load, manifests().values())
}
TEXTS_OF_NUMBERS: Final = {("status", "total6"), ("status", "used6")}
METADATA: Final = {"properties": {"name": {"type": "string"}, "namespace": {"type": "string"}}}

Schema = dict[str, Any]


def field(schema: Schema, path: Sequence[str]) -> Schema:
    """The schema of a field; KeyError names a part that there is not."""
    for part in path:
        schema = schema["properties"][part]
    return schema


def root(kind: str) -> Schema:
    (version,) = CRDS[kind]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    return {"properties": {**properties, "metadata": METADATA}}


def metrics() -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in RESOURCES:
        for metric in resource["metrics"]:
            yield resource["groupVersionKind"]["kind"], metric


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: str(r["groupVersionKind"]["kind"]))
def test_a_resource_is_a_kind_of_ours_by_its_plural(resource: dict[str, Any]) -> None:
    named = resource["groupVersionKind"]
    crd = CRDS[named["kind"]]
    assert (named["group"], named["version"]) == (crd["group"], crd["versions"][0]["name"])
    assert resource["resourcePlural"] == crd["names"]["plural"]
    assert ("namespace" in resource["labelsFromPath"]) == (crd["scope"] == "Namespaced")
    for path in resource["labelsFromPath"].values():
        field(root(named["kind"]), path)


def test_every_kind_is_there() -> None:
    assert [r["groupVersionKind"]["kind"] for r in RESOURCES] == [
        "DuraVIP", "Binding", "Topology", "AddressPool", "NodePlumbing",
    ]  # fmt: skip
    assert {r["groupVersionKind"]["kind"] for r in RESOURCES} == {*CRDS}


@pytest.mark.parametrize(("kind", "metric"), [*metrics()])
def test_a_metric_reads_fields_that_there_are(kind: str, metric: dict[str, Any]) -> None:
    each = metric["each"]
    reads = each[each["type"][0].lower() + each["type"][1:]]
    found = field(root(kind), reads.get("path", ()))
    found = found.get("items", found)
    for path in reads.get("labelsFromPath", {}).values():
        assert field(found, path)["type"] == "string"
    if each["type"] == "StateSet":
        assert found["enum"] == reads["list"]
    if each["type"] == "Gauge":
        value = field(found, reads.get("valueFrom", ()))
        is_number = value["type"] == "integer" or tuple(reads["path"]) in TEXTS_OF_NUMBERS
        is_time = value.get("format") == "date-time"
        is_condition = reads.get("valueFrom") == ["status"] and reads["path"][-1] == "conditions"
        assert is_number or is_time or is_condition
