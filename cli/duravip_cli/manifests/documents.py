"""Parses manifests into documents of our kinds, and reports what is wrong with their form."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from duravip_api import API_VERSION, GROUP
from duravip_cli.manifests import yaml_reader
from duravip_cli.manifests.schema import metadata_faults, schema_faults
from duravip_cli.objects import Body, Kind, name_of, namespace_of

CLUSTER_SCOPED: Final = ("Topology", "AddressPool")
WRITABLE: Final = ("DuraVIP", "Binding", *CLUSTER_SCOPED)


class Problem(NamedTuple):
    """A fault of a manifest."""

    file: str
    object: str
    field: str
    message: str
    is_warning: bool = False

    def as_json(self) -> dict[str, str]:
        """As `-o json` prints it."""
        fields = self._asdict()
        return {"severity": "warning" if fields.pop("is_warning") else "problem", **fields}

    @property
    def line(self) -> str:
        """The problem in one line, e.g. `vips.yaml: DuraVIP mail/a: spec.address: is required`."""
        parts = [self.file, "warning" if self.is_warning else "", self.object, self.field]
        return ": ".join([*filter(None, parts), self.message])


@dataclass(frozen=True, slots=True)
class Document:
    """One object of ours in a file."""

    file: str
    kind: Kind
    body: Body

    @property
    def key(self) -> tuple[str, str, str]:
        """`(kind, namespace, name)`."""
        return self.kind, namespace_of(self.body), name_of(self.body)

    @property
    def label(self) -> str:
        """The object's name for a message."""
        return f"{self.kind} {'/'.join(filter(None, self.key[1:]))}"


class ParsedManifests(NamedTuple):
    """The content of the files."""

    documents: list[Document]
    """The objects of our kinds whose form is right."""
    problems: list[Problem]
    others: int
    """The number of objects of other kinds."""


def parse_manifests(texts: Iterable[tuple[str, str]], namespace: str) -> ParsedManifests:
    """Parse `(file, text)` pairs; `namespace` is that of objects that name none."""
    parsed = ParsedManifests([], [], 0)
    first: dict[tuple[str, str, str], str] = {}
    others = 0
    for file, body in parse_objects(texts, parsed.problems):
        if not body["apiVersion"].startswith(f"{GROUP}/"):
            others += 1
        else:
            _add(parsed, file, _with_namespace(body, namespace), first)
    return parsed._replace(others=others)


def parse_objects(
    texts: Iterable[tuple[str, str]], problems: list[Problem]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """`(file, body)` of every object of whatever kind; what is none becomes a problem."""
    for file, text in texts:
        try:
            bodies = list(_flattened(yaml_reader.parse_documents(text)))
        except yaml_reader.UnreadableError as error:
            problems.append(Problem(file, "", "", str(error)))
            continue
        for body in bodies:
            if _is_object(body):
                yield file, body
            else:
                problems.append(Problem(file, "", "", "a document is no Kubernetes object"))


def _is_object(body: Any) -> bool:
    return isinstance(body, dict) and all(
        isinstance(body.get(part), str) and body[part] for part in ("kind", "apiVersion")
    )


def _flattened(bodies: Iterable[Any]) -> Iterator[Any]:
    for body in bodies:
        if isinstance(body, Mapping) and isinstance(body.get("items"), list):
            yield from _flattened(body["items"])
        elif body is not None:
            yield body


def _with_namespace(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Add the default namespace to a namespaced object, and remove it from others."""
    given = body.get("metadata")
    if given is not None and not isinstance(given, Mapping):
        return body
    placed = {**(given or {})}
    if body["kind"] in CLUSTER_SCOPED:
        placed.pop("namespace", None)
    else:
        placed["namespace"] = placed.get("namespace") or namespace
    return {**body, "metadata": placed}


def _add(
    parsed: ParsedManifests,
    file: str,
    body: dict[str, Any],
    first: dict[tuple[str, str, str], str],
) -> None:
    document = Document(file, body["kind"], body)
    wrong = list(_faults(body))
    if not wrong and document.key in first:
        wrong = [("", f"is already in {first[document.key]}")]
    parsed.problems.extend(
        Problem(file, document.label, field, message) for field, message in wrong
    )
    if not wrong:
        first[document.key] = file
        parsed.documents.append(document)


def _faults(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = body["kind"]
    if body["apiVersion"] != API_VERSION:
        yield "apiVersion", f"must be {API_VERSION}, not {body['apiVersion']}"
    elif kind == "NodePlumbing":
        yield "kind", "a NodePlumbing is written by the operator and the agent, not by hand"
    elif kind not in WRITABLE:
        yield "kind", f"there is no kind {kind!r} in {GROUP}: {', '.join(WRITABLE)}"
    elif wrong := list(metadata_faults(body["metadata"])):
        yield from wrong
    else:
        yield from schema_faults(kind, body)
