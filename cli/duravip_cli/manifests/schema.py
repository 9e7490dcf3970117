"""What an API server would refuse in one object: its metadata, and the CRD's own schema.

Types are as strict as the server's: a number in quotes is no number.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from duravip_api.manifest import KINDS, definition
from duravip_cli.manifests.cel_rules import RULES, is_dns_label, is_label, is_subdomain

Schema = Mapping[str, Any]
Fault = tuple[str, str]
"""`(field, what is wrong with it)`."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_SIZES: Final = {
    "array": ("minItems", "maxItems", "items"),
    "string": ("minLength", "maxLength", "characters"),
    "object": ("minProperties", "maxProperties", "entries"),
}

TEXT_FIELDS: Final = ("name", "namespace", "generateName", "resourceVersion", "uid", "selfLink")
KNOWN_FIELDS: Final = {
    *TEXT_FIELDS,
    *("generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("labels", "annotations", "ownerReferences", "finalizers", "managedFields"),
}
LIST_FIELDS: Final = ("ownerReferences", "finalizers", "managedFields")
MAX_ANNOTATION_BYTES: Final = 256 * 1024
"""Bytes of all annotations together."""
_MAX_NAMESPACE_LENGTH: Final = 63


@cache
def schema_of(kind: str) -> Schema:
    """The whole object's schema."""
    served_kind = next(k for k in KINDS if k.model.__name__ == kind)
    whole: Schema = definition(served_kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return whole


def schema_faults(kind: str, body: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the object in itself, in the order of its fields."""
    whole = schema_of(kind)
    if body.get("spec") is None:
        return [("spec", "is required")]
    known = {"apiVersion", "kind", "metadata", "status", "spec"}
    strange = [(str(key), "no such field") for key in body if key not in known]
    return [
        *strange,
        *_faults("spec", _without_nulls(body["spec"]), whole["properties"]["spec"]),
        *_broken_rules("metadata.name", body, whole),
    ]


def _without_nulls(value: Any) -> Any:
    """Without what is null: the server takes it away before it looks at the rest."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _faults(path: str, value: Any, schema: Schema) -> Iterator[Fault]:
    kind = schema["type"]
    is_right = isinstance(value, _TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)
    if not is_right:
        yield path, f"must be of type {kind}, not {value!r}"
        return
    before_rules = list(_out_of_bounds(path, value, schema))
    if "enum" in schema and value not in schema["enum"]:
        before_rules.append((path, f"must be one of {', '.join(schema['enum'])}, not {value!r}"))
    if kind == "object":
        before_rules += _faults_of_fields(path, value, schema)
    elif kind == "array":
        before_rules += _faults_of_items(path, value, schema)
    yield from before_rules
    if not before_rules:  # as the server: rules are asked of what has the right form
        yield from _broken_rules(path, value, schema)


def _out_of_bounds(path: str, value: Any, schema: Schema) -> Iterator[Fault]:
    kind = schema["type"]
    least, most, unit = _SIZES.get(kind, ("minimum", "maximum", ""))
    size = len(value) if unit else value
    if least in schema and size < schema[least]:
        yield path, f"must be at least {schema[least]} {unit}".rstrip()
    if most in schema and size > schema[most]:
        yield path, f"must be at most {schema[most]} {unit}".rstrip()


def _faults_of_fields(path: str, value: Mapping[str, Any], schema: Schema) -> Iterator[Fault]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}", "is required"
    for name, part in value.items():
        if name in properties:
            yield from _faults(f"{path}.{name}", part, properties[name])
        elif "additionalProperties" in schema:
            yield from _faults(f"{path}.{name}", part, schema["additionalProperties"])
        else:
            yield f"{path}.{name}", "no such field"


def _faults_of_items(path: str, value: list[Any], schema: Schema) -> Iterator[Fault]:
    for number, part in enumerate(value):
        yield from _faults(f"{path}[{number}]", part, schema["items"])
    keys = schema.get("x-kubernetes-list-map-keys")
    if not keys:
        return
    defaults = {k: schema["items"]["properties"][k].get("default") for k in keys}
    seen: set[tuple[str, ...]] = set()
    for number, part in enumerate(value):
        if isinstance(part, dict):
            key = tuple(str(part.get(k, defaults[k])) for k in keys)
            if key in seen:
                yield f"{path}[{number}]", f"another one has the same {' and '.join(keys)}"
            seen.add(key)


def _broken_rules(path: str, value: Any, schema: Schema) -> Iterator[Fault]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not RULES[rule["rule"]](value):
            yield path, str(rule["message"])


def metadata_faults(given: Any) -> Iterator[Fault]:
    """What is wrong with the metadata, the same for every kind."""
    if not isinstance(given, Mapping):
        yield "metadata", f"must be of type object, not {given!r}"
        return
    wrong = list(_wrong_types(given))
    yield from wrong or _wrong_names(given)


def _wrong_types(given: Mapping[str, Any]) -> Iterator[Fault]:
    for name, value in given.items():
        where = f"metadata.{name}"
        if name not in KNOWN_FIELDS:
            yield where, "no such field"
        elif value is None:
            continue
        elif name in TEXT_FIELDS and not isinstance(value, str):
            yield where, f"must be of type string, not {value!r}: put it in quotes"
        elif name in LIST_FIELDS and not isinstance(value, list):
            yield where, f"must be of type array, not {value!r}"
        elif name in {"labels", "annotations"}:
            yield from _wrong_texts(where, value)


def _wrong_texts(where: str, value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield where, f"must be of type object, not {value!r}"
        return
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            yield f"{where}.{key}", f"must be of type string, not {text!r}: put it in quotes"


def _wrong_names(given: Mapping[str, Any]) -> Iterator[Fault]:
    name, namespace = given.get("name") or "", given.get("namespace") or ""
    if not name:
        yield "metadata.name", "is required"
    elif not is_subdomain(name):
        yield "metadata.name", "must be lower-case letters, digits, '-' and '.'"
    if namespace and not (is_dns_label(namespace) and len(namespace) <= _MAX_NAMESPACE_LENGTH):
        yield "metadata.namespace", "must be lower-case letters, digits and '-'"
    for key, value in (given.get("labels") or {}).items():
        if not is_label(key, value or ""):
            yield "metadata.labels", f"{key}={value} is no label"
    annotations = given.get("annotations") or {}
    for key in annotations:
        if not is_label(key.lower(), ""):
            yield "metadata.annotations", f"{key!r} is no key of an annotation"
    size = sum(len(f"{key}{value or ''}".encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATION_BYTES:
        yield "metadata.annotations", f"must be at most {MAX_ANNOTATION_BYTES} bytes together"
