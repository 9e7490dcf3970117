"""Checks manifests as the operator would: one after the other, together, and with the cluster.

Its admission judges each document beside what is in the cluster and what the documents before it
have written, so their order counts, as it does for `kubectl apply`: a refused one is left out when
those behind it are judged. One pass of the operator's core then decides about all that were
admitted. Without the cluster, whatever is merely absent from the files (a Topology, the target of
a follow) is a warning at most.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from duravip_api.reasons import Reason, State
from duravip_cli.explain.inferred_snapshot import infer_snapshot
from duravip_cli.explain.standings import decide_now
from duravip_cli.manifests.documents import Document, Problem
from duravip_cli.manifests.pool_validation import pool_problems
from duravip_cli.objects import Body, ObjectLists, name_of, namespace_of
from duravip_operator.core import admission
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.service_origin import parse_origin
from duravip_operator.core.snapshot import Rejection, Snapshot, Topology, VipObject
from duravip_operator.core.topologies import has_network_mask

CREATED_LAST: Final = "9999-12-31T23:59:59Z"
"""The creation time of an object that is not applied yet: later than all others."""


def with_documents(lists: ObjectLists, documents: Iterable[Document]) -> ObjectLists:
    """The lists once these documents are applied."""
    objects: dict[str, dict[tuple[str, str], Body]] = {
        kind: {(namespace_of(b), name_of(b)): b for b in bodies}
        for kind, bodies in (
            ("DuraVIP", lists.duravips),
            ("Binding", lists.bindings),
            ("Topology", lists.topologies),
        )
    }
    for document in documents:
        kind, *where = document.key
        if kind not in objects:  # no election depends on it
            continue
        namespace, name = where
        old = objects[kind].get((namespace, name), {})
        fresh = {"uid": f"new {document.label}", "creationTimestamp": CREATED_LAST}
        metadata = {**fresh, **document.body["metadata"], **(old.get("metadata") or {})}
        body = {**document.body, "metadata": metadata, "status": old.get("status") or {}}
        objects[kind][namespace, name] = body
    duravips, bindings, topologies = (tuple(bodies.values()) for bodies in objects.values())
    return replace(lists, duravips=duravips, bindings=bindings, topologies=topologies)


def admission_refusals(
    documents: Sequence[Document], present: ObjectLists
) -> dict[str, Rejection]:
    """`{label: why}` of the documents that are refused; `present` are the existing objects."""
    snapshot = infer_snapshot(present).snapshot
    vips, topologies = _by_label(snapshot)
    new_entities, new_topologies = _by_label(
        infer_snapshot(with_documents(present, documents)).snapshot
    )
    refused: dict[str, Rejection] = {}
    for label in (document.label for document in documents):
        new = new_entities.get(label) or new_topologies[label]
        why = admission.refusal(snapshot, new, vips.get(label) or topologies.get(label))
        if why:
            refused[label] = why
        elif isinstance(new, Topology):
            topologies[label] = new
            snapshot = replace(snapshot, topologies=tuple(topologies.values()))
        else:
            vips[label] = new
            snapshot = replace(snapshot, vips=tuple(vips.values()))
    return refused


def _by_label(snapshot: Snapshot) -> tuple[dict[str, VipObject], dict[str, Topology]]:
    vips = {vip.label: vip for vip in snapshot.vips}
    return vips, {f"Topology {topology.name}": topology for topology in snapshot.topologies}


_FIELDS = {
    Reason.NAME_MISMATCH: "metadata.name",
    Reason.PREFERENCES_DIFFER: "spec.preference",
    Reason.PREFERRED_NODE_UNKNOWN: "spec.preference",
    Reason.MASK_NOT_HOST: "spec.address",
    Reason.LEADER_UNASSIGNED: "spec.follow",
    Reason.NO_PARTICIPANT: "spec.address",
}
_ABOUT_LEADERS = {Reason.FOLLOW_INVALID, Reason.LEADER_UNASSIGNED}
_FLAGS = {"Conflict", "Broken", "Unsafe"}
_ABOUT_NODES = {Reason.NO_PARTICIPANT, Reason.CAPACITY_EXCEEDED, Reason.PREFERRED_NODE_UNKNOWN}
IN_CLUSTER = "in the cluster"
_ASSUMED_NAME = "#any"
_ASSUMED_TOPOLOGIES = tuple(
    {
        "metadata": {
            "name": f"{_ASSUMED_NAME}-{cidr}",
            "creationTimestamp": f"{CREATED_LAST} and younger",
        },
        "spec": {"cidr": cidr, "interface": "any"},
    }
    for cidr in ("0.0.0.0/0", "::/0")
)
"""Topologies in place of those of the cluster, which are unknown without --live."""

Complaint = tuple[Reason, Problem]


def find_problems(documents: Sequence[Document], cluster: ObjectLists | None) -> list[Problem]:
    """The problems of the documents; `cluster` is None without --live."""
    present = cluster or ObjectLists()
    topologies = with_documents(present, documents).topologies
    is_known = cluster is not None or any(document.kind == "Topology" for document in documents)
    return [
        *_problems_of_elections([d for d in documents if d.kind != "AddressPool"], cluster),
        *pool_problems(documents, present.pools, topologies, knows_topologies=is_known),
        *_edits_of_generated(documents, present.duravips),
    ]


def _edits_of_generated(
    documents: Sequence[Document], duravips: Iterable[Body]
) -> Iterator[Problem]:
    """DuraVIPs that the operator writes itself: an edit of theirs would not last."""
    held = {(namespace_of(body), name_of(body)): body for body in duravips}
    for document in documents:
        kind, *where = document.key
        if kind != "DuraVIP":
            continue
        origin = parse_origin(held.get((where[0], where[1]), {})) or parse_origin(document.body)
        if origin:
            message = f"is generated for Service {where[0]}/{origin.name}: edit that instead"
            yield Problem(document.file, document.label, "", message)


def _problems_of_elections(
    documents: Sequence[Document], cluster: ObjectLists | None
) -> list[Problem]:
    refused = admission_refusals(documents, cluster or ObjectLists())
    admitted = [document for document in documents if document.label not in refused]
    base = ObjectLists(topologies=_ASSUMED_TOPOLOGIES) if cluster is None else cluster
    snapshot = infer_snapshot(with_documents(base, admitted)).snapshot
    decision = decide_now(snapshot)
    topologies = {f"Topology {t.name}": t for t in decision.topologies}
    vips = {vip.label: vip for vip in snapshot.vips}
    targets = _targets(decision)
    is_complete = any(document.kind == "Topology" for document in documents)
    problems: list[Problem] = []
    for document in documents:
        if why := refused.get(document.label):
            problems.append(_problem(document.file, document.label, *why))
            continue
        if document.kind == "Topology":
            problems += _topology_problems(topologies[document.label], document.file)
            continue
        vip = vips[document.label]
        complaints = _entity_problems(vip, decision, document.file)
        if cluster is None:
            complaints = _without_cluster(vip, targets, complaints)
            problems += _uncovered_problems(vip, decision, document) if is_complete else ()
        problems += [problem for _, problem in complaints]
    return [*problems, *(_problems_in_cluster(cluster, decision, admitted) if cluster else ())]


def _targets(decision: Decision) -> set[tuple[str, str]]:
    """What a follow can name: `(namespace, name)` of Bindings, and `("", address)`."""
    members = [vip for unit in decision.units.values() for vip in unit.vips]
    named = {(e.namespace, e.name) for e in members if e.kind == "Binding"}
    return named | {("", address) for address in decision.units}


def _without_cluster(
    vip: VipObject, targets: set[tuple[str, str]], complaints: Iterable[Complaint]
) -> Iterator[Complaint]:
    """Drop problems about nodes, and soften those about leaders that may be in the cluster."""
    is_here = not targets.isdisjoint({(vip.namespace, vip.follow), ("", vip.follow)})
    for reason, problem in complaints:
        if reason not in _ABOUT_NODES:
            may_be_there = reason in _ABOUT_LEADERS and not is_here
            yield reason, problem._replace(is_warning=problem.is_warning or may_be_there)


def _uncovered_problems(
    vip: VipObject, decision: Decision, document: Document
) -> Iterator[Problem]:
    unit = decision.units.get(vip.address)
    if unit and unit.topology and unit.topology.name.startswith(_ASSUMED_NAME):
        message = f"no Topology in these files covers {vip.address} ({Reason.NO_TOPOLOGY})"
        yield Problem(document.file, document.label, "spec.address", message, is_warning=True)


def _topology_problems(topology: Topology, file: str) -> Iterator[Problem]:
    label = f"Topology {topology.name}"
    if topology.rejection:
        yield _problem(file, label, *topology.rejection)
    elif has_network_mask(topology):
        message = Reason.MASK_NOT_HOST.sentence
        yield Problem(file, label, "spec.cidrmask", message, is_warning=True)


def _entity_problems(vip: VipObject, decision: Decision, file: str) -> Iterator[Complaint]:
    status = decision.status_of(vip)
    if status.state in {State.BROKEN, State.UNASSIGNED} and status.reason is not Reason.NO_ADDRESS:
        problem = _problem(file, vip.label, status.reason, status.message)
        yield status.reason, problem._replace(is_warning=status.reason in _ABOUT_NODES)
    for kind, reason, message in status.advisories:
        if reason not in {status.reason, Reason.MASK_NOT_HOST, Reason.UPGRADED}:
            problem = _problem(file, vip.label, reason, message)
            yield reason, problem._replace(is_warning=kind not in _FLAGS)


def _problems_in_cluster(
    before: ObjectLists, decision: Decision, documents: Sequence[Document]
) -> Iterator[Problem]:
    """Objects in the cluster that the files would cause to be refused, or in conflict."""
    files = {document.label for document in documents}
    snapshot = infer_snapshot(before).snapshot
    standing = decide_now(snapshot)
    after = {e.uid: e for unit in decision.units.values() for e in unit.vips}
    for vip in snapshot.vips:
        if vip.label in files or (vip.uid not in after and vip.uid not in decision.rejected):
            continue
        former = _complaints(standing.status_of(vip))
        for reason, message in sorted(_complaints(decision.status_of(vip)).items()):
            if reason not in former:
                problem = _problem(IN_CLUSTER, vip.label, reason, message)
                yield problem._replace(message=f"because of these files: {problem.message}")


def _complaints(status: AddressStatus) -> dict[Reason, str]:
    flagged = {reason: message for kind, reason, message in status.advisories if kind in _FLAGS}
    is_refused = status.state in {State.BROKEN, State.UNASSIGNED}
    return {**flagged, **({status.reason: status.message} if is_refused else {})}


def _problem(file: str, label: str, reason: Reason, message: str) -> Problem:
    """Take the core's message apart: it begins with the object and the field."""
    rest = message.removeprefix(f"{label}: ")
    field, colon, text = rest.partition(": ")
    if colon and field.startswith(("spec.", "metadata.")):
        return Problem(file, label, field, f"{text} ({reason})")
    return Problem(file, label, _FIELDS.get(reason, ""), f"{rest} ({reason})")
