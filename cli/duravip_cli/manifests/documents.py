"""Manifests: text into documents, and documents laid over what is in the cluster."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from duravip_api import API_VERSION, GROUP
from duravip_cli.manifests import metadata, yaml_reader
from duravip_cli.manifests.schema import faults
from duravip_cli.views.objects import Body, Kind, name_of, namespace_of

WRITABLE: Final = ("DuraVIP", "Binding", "Topology")


class Problem(NamedTuple):
    """Something wrong with a manifest."""

    file: str
    object: str
    field: str
    message: str
    is_warning: bool = False

    def as_json(self) -> dict[str, str]:
        """As `-o json` prints it."""
        return {
            "severity": "warning" if self.is_warning else "problem",
            "file": self.file,
            "object": self.object,
            "field": self.field,
            "message": self.message,
        }

    @property
    def line(self) -> str:
        """It in one line, e.g. `vips.yaml: DuraVIP mail/a: spec.address: is required`."""
        said = [self.file, "warning" if self.is_warning else "", self.object, self.field]
        return ": ".join([*filter(None, said), self.message])


@dataclass(frozen=True, slots=True)
class Document:
    """One object of ours in a file."""

    file: str
    kind: Kind
    body: Body

    @property
    def key(self) -> tuple[str, str, str]:
        """Which object it is."""
        return self.kind, namespace_of(self.body), name_of(self.body)

    @property
    def label(self) -> str:
        """Its name for a message."""
        return f"{self.kind} {'/'.join(filter(None, self.key[1:]))}"


class Reading(NamedTuple):
    """What the files hold."""

    documents: list[Document]
    """Those of our kinds whose form is right."""
    problems: list[Problem]
    others: int
    """How many objects are not of our kinds."""


def read(texts: Iterable[tuple[str, str]], namespace: str) -> Reading:
    """Read `(file, text)`s; objects that name no namespace are in this one."""
    found = Reading([], [], 0)
    first: dict[tuple[str, str, str], str] = {}
    others = 0
    for file, text in texts:
        try:
            bodies = list(_flattened(yaml_reader.documents(text)))
        except yaml_reader.UnreadableError as error:
            found.problems.append(Problem(file, "", "", str(error)))
            continue
        for body in bodies:
            if not _is_object(body):
                found.problems.append(Problem(file, "", "", "a document is no Kubernetes object"))
            elif not body["apiVersion"].startswith(f"{GROUP}/"):
                others += 1
            else:
                _take(found, file, _placed(body, namespace), first)
    return found._replace(others=others)


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


def _placed(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A namespaced object is somewhere, a Topology is not, whatever it says."""
    given = body.get("metadata")
    if given is not None and not isinstance(given, Mapping):
        return body
    placed = {**(given or {})}
    if body["kind"] == "Topology":
        placed.pop("namespace", None)
    else:
        placed["namespace"] = placed.get("namespace") or namespace
    return {**body, "metadata": placed}


def _take(
    found: Reading, file: str, body: dict[str, Any], first: dict[tuple[str, str, str], str]
) -> None:
    document = Document(file, body["kind"], body)
    wrong = list(_wrong(body))
    if not wrong and document.key in first:
        wrong = [("", f"is already in {first[document.key]}")]
    found.problems.extend(Problem(file, document.label, field, say) for field, say in wrong)
    if not wrong:
        first[document.key] = file
        found.documents.append(document)


def _wrong(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = body["kind"]
    if body["apiVersion"] != API_VERSION:
        yield "apiVersion", f"must be {API_VERSION}, not {body['apiVersion']}"
    elif kind == "NodePlumbing":
        yield "kind", "a NodePlumbing is written by the operator and the agent, not by hand"
    elif kind not in WRITABLE:
        yield "kind", f"there is no kind {kind!r} in {GROUP}: {', '.join(WRITABLE)}"
    elif wrong := list(metadata.faults(body["metadata"])):
        yield from wrong
    else:
        yield from faults(kind, body)
