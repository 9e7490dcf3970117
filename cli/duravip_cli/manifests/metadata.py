"""Checks an object's metadata as an API server would, the same for every kind."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from duravip_cli.manifests.cel_rules import is_dns_label, is_label, is_subdomain

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

Fault = tuple[str, str]


def metadata_faults(given: Any) -> Iterator[Fault]:
    """The faults of the metadata."""
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
