"""What is wrong with manifests taken together, and with what is in the cluster.

The operator's own core judges them. Without the cluster it cannot know what else there is, so
what is merely missing (a Topology, the target of a follow) is then a warning at most.
"""

from collections.abc import Iterator, Sequence

from duravip_api.reasons import Reason, State
from duravip_cli.core.documents import Document, Problem
from duravip_cli.core.lists import Lists
from duravip_cli.core.live import view
from duravip_cli.core.overlay import applied
from duravip_cli.core.standings import decided
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Entity, Topology
from duravip_operator.core.verdicts import Verdict

_FIELDS = {
    Reason.NAME_MISMATCH: "metadata.name",
    Reason.PREFERENCES_DIFFER: "spec.preference",
    Reason.PREFERRED_NODE_UNKNOWN: "spec.preference",
    Reason.MASK_NOT_HOST: "spec.address",
    Reason.LEADER_UNASSIGNED: "spec.follow",
    Reason.NO_PARTICIPANT: "spec.address",
}
_MISSING = {Reason.NO_TOPOLOGY, Reason.FOLLOW_INVALID, Reason.LEADER_UNASSIGNED}
_FLAGS = {"Conflict", "Broken", "Unsafe"}
_OF_NODES = {Reason.NO_PARTICIPANT, Reason.CAPACITY_EXCEEDED, Reason.PREFERRED_NODE_UNKNOWN}
CLUSTER = "in the cluster"


def problems(documents: Sequence[Document], cluster: Lists | None) -> list[Problem]:
    """What the core has against them; `cluster` is None when it is not to be looked at."""
    base = cluster or Lists()
    snapshot = view(applied(base, documents)).snapshot
    made = decided(snapshot)
    files = {document.label: document.file for document in documents}
    found = list(_of_topologies(made, files))
    has_topologies = bool(cluster) or any(d.kind == "Topology" for d in documents)
    for entity in snapshot.entities:
        file = files.get(entity.label)
        for problem in _of_entity(entity, made, file or CLUSTER):
            reason, said = problem
            if cluster is None and reason is Reason.NO_TOPOLOGY and not has_topologies:
                continue
            if file and (cluster is not None or reason not in _OF_NODES):
                is_warning = said.is_warning or (cluster is None and _may_be_there(entity, made))
                found.append(said._replace(is_warning=is_warning))
    return [*found, *(_harmed(base, made, files) if cluster else ())]


def _may_be_there(entity: Entity, made: Decision) -> bool:
    """Whether what it lacks may be in the cluster; what a Topology refuses is refused."""
    verdict = made.verdict_on(entity)
    named = {e.name for unit in made.units.values() for e in unit.entities if e.kind == "Binding"}
    is_here = entity.follow and (entity.follow in named or entity.follow in made.units)
    return verdict.reason in _MISSING and entity.uid not in made.refused and not is_here


def _of_topologies(made: Decision, files: dict[str, str]) -> Iterator[Problem]:
    for topology in made.topologies:
        file = files.get(f"Topology {topology.name}")
        if file and topology.rejection:
            yield _problem(file, f"Topology {topology.name}", *topology.rejection)
        elif file and _is_wide(topology):
            say = Reason.MASK_NOT_HOST.sentence
            yield Problem(file, f"Topology {topology.name}", "spec.cidrmask", say, is_warning=True)


def _is_wide(topology: Topology) -> bool:
    return topology.placement.mask != (32 if topology.family == 4 else 128)  # noqa: PLR2004


def _of_entity(entity: Entity, made: Decision, file: str) -> Iterator[tuple[Reason, Problem]]:
    verdict = made.verdict_on(entity)
    if (
        verdict.state in {State.BROKEN, State.UNASSIGNED}
        and verdict.reason is not Reason.NO_ADDRESS
    ):
        found = _problem(file, entity.label, verdict.reason, verdict.message)
        yield verdict.reason, found._replace(is_warning=verdict.reason in _OF_NODES)
    for kind, reason, message in verdict.advisories:
        if reason not in {verdict.reason, Reason.MASK_NOT_HOST, Reason.UPGRADED}:
            found = _problem(file, entity.label, reason, message)
            yield reason, found._replace(is_warning=kind not in _FLAGS)


def _harmed(before: Lists, made: Decision, files: dict[str, str]) -> Iterator[Problem]:
    """Objects of the cluster that would be refused, or in conflict, because of the files."""
    snapshot = view(before).snapshot
    standing = decided(snapshot)
    after = {e.uid: e for unit in made.units.values() for e in unit.entities}
    for entity in snapshot.entities:
        if entity.label in files or (entity.uid not in after and entity.uid not in made.refused):
            continue
        old, new = standing.verdict_on(entity), made.verdict_on(entity)
        worse = _complaints(new) - _complaints(old)
        for reason, message in sorted(worse):
            yield _problem(CLUSTER, entity.label, reason, f"would become: {message}")


def _complaints(verdict: Verdict) -> set[tuple[Reason, str]]:
    said = {(r, m) for kind, r, m in verdict.advisories if kind in _FLAGS}
    is_refused = verdict.state in {State.BROKEN, State.UNASSIGNED}
    return said | ({(verdict.reason, verdict.message)} if is_refused else set())


def _problem(file: str, label: str, reason: Reason, message: str) -> Problem:
    """The core's sentence, taken apart: it names the object and the field first."""
    rest = message.removeprefix(f"{label}: ")
    field, colon, said = rest.partition(": ")
    if colon and field.startswith(("spec.", "metadata.")):
        return Problem(file, label, field, f"{said} ({reason})")
    return Problem(file, label, _FIELDS.get(reason, ""), f"{rest} ({reason})")
