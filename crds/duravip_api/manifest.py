"""The CustomResourceDefinitions, made from the models: `python -m duravip_api.manifest FOLDER...`.

Writes one file a kind into every folder named. `make manifests` calls it, and a test fails when
what is committed differs from what it would write.

Kubernetes wants a structural schema: every type spelled out in place, no `$ref`, no `anyOf`, no
`const`, booleans for exclusive bounds. What cannot be expressed raises TypeError here, at
generation, and never at a user's `kubectl apply`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from duravip_api import GROUP, PLURALS, VERSION
from duravip_api.addresspool import AddressPool
from duravip_api.binding import Binding
from duravip_api.duravip import DuraVIP
from duravip_api.fields import ApiModel
from duravip_api.nodeplumbing import NodePlumbing
from duravip_api.topology import Topology

Schema = dict[str, Any]

_DROPPED = {"title", "examples", "discriminator", "$defs", "propertyNames"}
_UNCHECKED = "x-kubernetes-preserve-unknown-fields"
_NESTED = {"items", "additionalProperties"}
_REFUSED = {"prefixItems", "oneOf", "allOf", "const", "exclusiveMinimum", "exclusiveMaximum"}

READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; a `wide` one is shown with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def manifest(self) -> dict[str, Any]:
        """As the CRD spells it."""
        column = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**column, "priority": 1} if self.wide else column


AGE = Column("Age", ".metadata.creationTimestamp", "date")
_SERVED = (
    Column("Address", ".spec.address"),
    Column("Owner", ".status.owner"),
    Column("State", ".status.state"),
    Column("Flags", ".status.flags"),
    Column("Preference", ".spec.preference"),
)
_WIDE = (
    Column("Interface", ".status.interface", wide=True),
    Column("Participants", ".status.participants", "integer", wide=True),
    Column("LastMove", ".status.lastMove.reason", wide=True),
    Column("Message", f"{READY}.message", wide=True),
)
_SINCE = Column("Since", ".status.since", "date")


@dataclass(frozen=True)
class Kind:
    """A kind: its model and how the API server presents it."""

    model: type[ApiModel]
    plural: str
    short: str
    columns: tuple[Column, ...]
    singular: str = ""
    namespaced: bool = False
    categories: tuple[str, ...] = ()
    selectable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The CRD's name."""
        return f"{self.plural}.{GROUP}"


KINDS = (
    Kind(
        DuraVIP,
        PLURALS["DuraVIP"],
        "dvip",
        (*_SERVED, Column("Follows", ".spec.follow"), _SINCE, AGE, *_WIDE),
        namespaced=True,
        categories=("vips",),
        selectable=(".spec.address", ".status.owner", ".status.state"),
    ),
    Kind(
        Binding,
        PLURALS["Binding"],
        "dvb",
        (*_SERVED, Column("Group", ".spec.group"), _SINCE, AGE, *_WIDE),
        singular="vipbinding",
        namespaced=True,
        categories=("vips",),
        selectable=(".spec.address", ".status.owner", ".status.state", ".spec.group"),
    ),
    Kind(
        Topology,
        PLURALS["Topology"],
        "dvt",
        (
            Column("Cidr", ".spec.cidr"),
            Column("Interface", ".status.interface"),
            Column("Mask", ".status.mask", "integer"),
            Column("Nodes", ".status.nodes", "integer"),
            Column("Addresses", ".status.addresses", "integer"),
            AGE,
            Column("Message", f"{READY}.message", wide=True),
        ),
    ),
    Kind(
        AddressPool,
        PLURALS["AddressPool"],
        "dvap",
        (
            Column("Ranges", ".spec.ranges"),
            Column("Auto", ".spec.autoAssign", "boolean"),
            Column("Used4", ".status.used4", "integer"),
            Column("Total4", ".status.total4", "integer"),
            Column("Used6", ".status.used6"),
            Column("Total6", ".status.total6"),
            AGE,
            Column("Message", f"{READY}.message", wide=True),
        ),
    ),
    Kind(
        NodePlumbing,
        PLURALS["NodePlumbing"],
        "dvn",
        (
            Column("Node", ".metadata.name"),
            # The operator's word: a dead agent cannot say that it is dead.
            Column("Ready", '.status.conditions[?(@.type=="Heard")].status'),
            Column("Granted", ".spec.grantedCount", "integer"),
            Column("Served", ".status.servedCount", "integer"),
            Column("Nics", ".status.nicNames"),
            Column("Agent", ".status.agent.version"),
            AGE,
        ),
    ),
)


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    root = structural(kind.model.model_json_schema(by_alias=True))
    root["required"] = ["spec"]
    name = kind.model.__name__
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.manifest() for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    names: dict[str, Any] = {
        "kind": name,
        "listKind": f"{name}List",
        "plural": kind.plural,
        "singular": kind.singular or name.lower(),
        "shortNames": [kind.short],
    }
    if kind.categories:
        names["categories"] = list(kind.categories)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [version],
        },
    }


def manifests() -> dict[str, str]:
    """`{file name: YAML}`: one file a kind."""
    head = "# Made by `make manifests` from crds/duravip_api: change the models, not this file.\n"
    return {
        f"{kind.plural}.yaml": head + yaml.safe_dump(definition(kind), sort_keys=False, width=99)
        for kind in KINDS
    }


def main() -> None:
    """Write the files into every folder that the command line names."""
    for folder in sys.argv[1:]:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in manifests().items():
            (Path(folder) / name).write_text(content)


def structural(model_schema: Schema) -> Schema:
    """The structural schema of `Model.model_json_schema(by_alias=True)`."""
    return _converted(model_schema, model_schema.get("$defs", {}))


def _converted(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        here = {key: value for key, value in node.items() if key != "$ref"}
        return _converted({**target, **here}, definitions)
    if "anyOf" in node:
        return _converted(_without_null(node), definitions)
    unknown = _REFUSED & node.keys()
    if unknown:
        raise TypeError(f"{sorted(unknown)} has no structural form: {node}")
    out = {key: value for key, value in node.items() if key not in _DROPPED}
    if out.get(_UNCHECKED):
        return {key: value for key, value in out.items() if key in {"description", _UNCHECKED}}
    if "properties" in node:
        out["properties"] = {
            name: _converted(sub, definitions) for name, sub in node["properties"].items()
        }
    for nested in _NESTED & node.keys():
        out[nested] = _converted(node[nested], definitions)
    if out.get("type") == "integer":
        out.setdefault("format", "int64")
    if out.get("default", ...) is None:
        del out["default"]
    return out


def _without_null(node: Schema) -> Schema:
    """`X | None` is an optional X: the field may be absent."""
    kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
    if len(kinds) != 1:
        raise TypeError(f"a union has no structural form: {node}")
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kinds[0], **rest}


if __name__ == "__main__":
    main()
