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
from duravip_cli.explain.inferred_snapshot import view
from duravip_cli.explain.standings import decided
from duravip_cli.manifests.documents import Document, Problem
from duravip_cli.views.objects import Body, Lists, name_of, namespace_of
from duravip_operator.core import admission
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Rejection, Snapshot, Topology, VipObject

NEWEST: Final = "9999-12-31T23:59:59Z"
"""When something is created that is only about to be: it is younger than all that is there."""


def applied(lists: Lists, documents: Iterable[Document]) -> Lists:
    """The lists once these documents are applied."""
    found: dict[str, dict[tuple[str, str], Body]] = {
        kind: {(namespace_of(b), name_of(b)): b for b in bodies}
        for kind, bodies in (
            ("DuraVIP", lists.duravips),
            ("Binding", lists.bindings),
            ("Topology", lists.topologies),
        )
    }
    for document in documents:
        kind, *where = document.key
        namespace, name = where
        old = found[kind].get((namespace, name), {})
        fresh = {"uid": f"new {document.label}", "creationTimestamp": NEWEST}
        metadata = {**fresh, **document.body["metadata"], **(old.get("metadata") or {})}
        body = {**document.body, "metadata": metadata, "status": old.get("status") or {}}
        found[kind][namespace, name] = body
    duravips, bindings, topologies = (tuple(bodies.values()) for bodies in found.values())
    return replace(lists, duravips=duravips, bindings=bindings, topologies=topologies)


def refusals(documents: Sequence[Document], there: Lists) -> dict[str, Rejection]:
    """`{label of a document: why}` of those that are refused; `there` is what exists already."""
    known = view(there).snapshot
    vips, topologies = _by_label(known)
    new_entities, new_topologies = _by_label(view(applied(there, documents)).snapshot)
    found: dict[str, Rejection] = {}
    for label in (document.label for document in documents):
        new = new_entities.get(label) or new_topologies[label]
        why = admission.refusal(known, new, vips.get(label) or topologies.get(label))
        if why:
            found[label] = why
        elif isinstance(new, Topology):
            topologies[label] = new
            known = replace(known, topologies=tuple(topologies.values()))
        else:
            vips[label] = new
            known = replace(known, vips=tuple(vips.values()))
    return found


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
_OF_LEADERS = {Reason.FOLLOW_INVALID, Reason.LEADER_UNASSIGNED}
_FLAGS = {"Conflict", "Broken", "Unsafe"}
_OF_NODES = {Reason.NO_PARTICIPANT, Reason.CAPACITY_EXCEEDED, Reason.PREFERRED_NODE_UNKNOWN}
CLUSTER = "in the cluster"
_ANY = "#any"
_ASSUMED = tuple(
    {
        "metadata": {"name": f"{_ANY}-{cidr}", "creationTimestamp": f"{NEWEST} and younger"},
        "spec": {"cidr": cidr, "interface": "any"},
    }
    for cidr in ("0.0.0.0/0", "::/0")
)
"""Topologies that stand for those in the cluster, when that is not looked at."""

Said = tuple[Reason, Problem]


def problems(documents: Sequence[Document], cluster: Lists | None) -> list[Problem]:
    """What the core has against them; `cluster` is None when it is not to be looked at."""
    refused = refusals(documents, cluster or Lists())
    admitted = [document for document in documents if document.label not in refused]
    base = Lists(topologies=_ASSUMED) if cluster is None else cluster
    snapshot = view(applied(base, admitted)).snapshot
    made = decided(snapshot)
    topologies = {f"Topology {t.name}": t for t in made.topologies}
    vips = {vip.label: vip for vip in snapshot.vips}
    targets = _targets(made)
    is_complete = any(document.kind == "Topology" for document in documents)
    found: list[Problem] = []
    for document in documents:
        if why := refused.get(document.label):
            found.append(_problem(document.file, document.label, *why))
            continue
        if document.kind == "Topology":
            found += _of_topology(topologies[document.label], document.file)
            continue
        vip = vips[document.label]
        said = _of_entity(vip, made, document.file)
        if cluster is None:
            said = _of_files_alone(vip, targets, said)
            found += _uncovered(vip, made, document) if is_complete else ()
        found += [problem for _, problem in said]
    return [*found, *(_harmed(cluster, made, admitted) if cluster else ())]


def _targets(made: Decision) -> set[tuple[str, str]]:
    """`(namespace, name)` of every Binding in the files, `("", address)` of every unit."""
    members = [vip for unit in made.units.values() for vip in unit.vips]
    named = {(e.namespace, e.name) for e in members if e.kind == "Binding"}
    return named | {("", address) for address in made.units}


def _of_files_alone(
    vip: VipObject, targets: set[tuple[str, str]], said: Iterable[Said]
) -> Iterator[Said]:
    """Nothing is known of nodes, and what something follows may be in the cluster."""
    is_here = not targets.isdisjoint({(vip.namespace, vip.follow), ("", vip.follow)})
    for reason, problem in said:
        if reason not in _OF_NODES:
            may_be_there = reason in _OF_LEADERS and not is_here
            yield reason, problem._replace(is_warning=problem.is_warning or may_be_there)


def _uncovered(vip: VipObject, made: Decision, document: Document) -> Iterator[Problem]:
    unit = made.units.get(vip.address)
    if unit and unit.topology and unit.topology.name.startswith(_ANY):
        say = f"no Topology in these files covers {vip.address} ({Reason.NO_TOPOLOGY})"
        yield Problem(document.file, document.label, "spec.address", say, is_warning=True)


def _of_topology(topology: Topology, file: str) -> Iterator[Problem]:
    label = f"Topology {topology.name}"
    if topology.rejection:
        yield _problem(file, label, *topology.rejection)
    elif _is_wide(topology):
        say = Reason.MASK_NOT_HOST.sentence
        yield Problem(file, label, "spec.cidrmask", say, is_warning=True)


def _is_wide(topology: Topology) -> bool:
    return topology.placement.mask != (32 if topology.family == 4 else 128)  # noqa: PLR2004


def _of_entity(vip: VipObject, made: Decision, file: str) -> Iterator[Said]:
    verdict = made.status_of(vip)
    if (
        verdict.state in {State.BROKEN, State.UNASSIGNED}
        and verdict.reason is not Reason.NO_ADDRESS
    ):
        found = _problem(file, vip.label, verdict.reason, verdict.message)
        yield verdict.reason, found._replace(is_warning=verdict.reason in _OF_NODES)
    for kind, reason, message in verdict.advisories:
        if reason not in {verdict.reason, Reason.MASK_NOT_HOST, Reason.UPGRADED}:
            found = _problem(file, vip.label, reason, message)
            yield reason, found._replace(is_warning=kind not in _FLAGS)


def _harmed(before: Lists, made: Decision, documents: Sequence[Document]) -> Iterator[Problem]:
    """Objects of the cluster that would be refused, or in conflict, because of the files."""
    files = {document.label for document in documents}
    snapshot = view(before).snapshot
    standing = decided(snapshot)
    after = {e.uid: e for unit in made.units.values() for e in unit.vips}
    for vip in snapshot.vips:
        if vip.label in files or (vip.uid not in after and vip.uid not in made.rejected):
            continue
        old, new = standing.status_of(vip), made.status_of(vip)
        known = _complaints(old)
        for reason, message in sorted(_complaints(new).items()):
            if reason not in known:
                found = _problem(CLUSTER, vip.label, reason, message)
                yield found._replace(message=f"because of these files: {found.message}")


def _complaints(verdict: AddressStatus) -> dict[Reason, str]:
    said = {reason: message for kind, reason, message in verdict.advisories if kind in _FLAGS}
    is_refused = verdict.state in {State.BROKEN, State.UNASSIGNED}
    return {**said, **({verdict.reason: verdict.message} if is_refused else {})}


def _problem(file: str, label: str, reason: Reason, message: str) -> Problem:
    """The core's sentence, taken apart: it names the object and the field first."""
    rest = message.removeprefix(f"{label}: ")
    field, colon, said = rest.partition(": ")
    if colon and field.startswith(("spec.", "metadata.")):
        return Problem(file, label, field, f"{said} ({reason})")
    return Problem(file, label, _FIELDS.get(reason, ""), f"{rest} ({reason})")
