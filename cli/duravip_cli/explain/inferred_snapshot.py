"""The operator's snapshot, rebuilt from the objects of the API server.

The operator's view of a node's liveness comes from heartbeats, which are not in the API. It is
taken from these sources, the first that applies:

1. the condition `Ready` of the agent, if it has never reported, is starting, or has stopped;
2. the condition `Heard`, which the operator writes on each NodePlumbing;
3. the status of an address: its owner is unreachable, lost, or serves it;
4. the agent has not acted on the current generation of its spec, which takes a living one
   milliseconds: the node is dead;
5. the Node's kubelet has not been heard: the node is dead;
6. otherwise the node is alive.

Which nodes must be well for longer before anything returns to them, the condition
`PreferenceNotMet` of the objects tells.

The operator's settings (`--fencing`, `--max-aliases`), its quarantines and the nodes it does not
trust are annotations of its leader's Lease. Without the right to read that, the defaults are used,
and the failures that `lastMove` reports.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from duravip_api import timing
from duravip_api.reasons import Reason
from duravip_cli.objects import (
    Body,
    ObjectLists,
    annotations_of,
    condition,
    metadata_of,
    name_of,
    spec_of,
    status_of,
)
from duravip_operator.core import lease_annotations, parsing, quarantine, readiness
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot, Suspicion, VipObject
from duravip_operator.core.stability import AGENT, Spell, Stability

LIVENESS_INFERRED = (
    "whom the operator hears is inferred from NodePlumbings, Nodes and statuses, since not every "
    "NodePlumbing says it"
)


SETTINGS_UNREADABLE = (
    "the leader's Lease cannot be read, so its settings are taken to be the defaults"
)


SLICES_UNREADABLE = "EndpointSlices cannot be read, so every node is taken for fit"


class InferredLiveness(NamedTuple):
    """The liveness inferred for a node, and its source."""

    state: Liveness
    basis: str
    is_gone: bool = False
    """Whether the node's addresses do not answer probes, either."""


class InferredSnapshot(NamedTuple):
    """A snapshot, and the source of each node's liveness."""

    snapshot: Snapshot
    liveness: Mapping[str, InferredLiveness]
    is_liveness_reported: bool = False
    """Whether every NodePlumbing has the condition `Heard`."""
    are_settings_published: bool = True
    """Whether the operator's settings and quarantines could be read."""
    are_slices_read: bool = True
    """Whether the EndpointSlices of the Services that objects name could be read."""

    @property
    def note(self) -> str:
        """The limits of what was inferred, as a sentence; empty: none."""
        notes = [
            "" if self.is_liveness_reported else LIVENESS_INFERRED,
            "" if self.are_settings_published else SETTINGS_UNREADABLE,
            "" if self.are_slices_read else SLICES_UNREADABLE,
        ]
        return "; ".join(filter(None, notes))


def infer_snapshot(lists: ObjectLists) -> InferredSnapshot:
    """Build the snapshot that the operator must have."""
    plumbings = {name_of(body): parsing.plumbing(body) for body in lists.plumbings}
    heard = _liveness(lists, plumbings)
    vips = tuple(parsing.vip_object(kind, body) for kind, body in lists.entities())
    published = lease_annotations.parse_lease(annotations_of(lists.lease or {}))
    nodes = {name_of(body): parsing.node(body) for body in lists.nodes}
    if published and published.ignores_exclude_label:
        nodes = {name: parsing.without_exclude_label(node) for name, node in nodes.items()}
    snapshot = Snapshot(
        vips=vips,
        topologies=tuple(parsing.topology(body) for body in lists.topologies),
        nodes=nodes,
        plumbings=plumbings,
        liveness={name: inferred.state for name, inferred in heard.items()},
        suspicions={
            name: presumed_silence(plumbings[name], is_gone=inferred.is_gone)
            for name, inferred in heard.items()
            if inferred.state is Liveness.SUSPECT
        },
        stability=_stability(lists),
        witnessed={name: frozenset(plumbing.nics) for name, plumbing in plumbings.items()},
        **_published_fields(published, vips, lists.read_at),
    )
    snapshot = _with_readiness(snapshot, lists.slices)
    is_told = all(condition(body, "Heard") for body in lists.plumbings)
    is_published = published is not None
    return InferredSnapshot(snapshot, heard, is_told, is_published, lists.slices is not None)


def _with_readiness(snapshot: Snapshot, slices: tuple[Body, ...] | None) -> Snapshot:
    """The snapshot with the nodes that are fit; if nothing can be told, as if all of them were."""
    if slices is None:
        vips = tuple(replace(vip, readiness=frozenset()) for vip in snapshot.vips)
        return replace(snapshot, vips=vips)
    return readiness.with_fitness(snapshot, readiness.table_of(slices))


_WAITS = {Reason.FLAPPING: 2, Reason.FAILBACK_DELAYED: 0}
"""By the reason why a preferred node waits: how many losses that takes at least."""


def _stability(lists: ObjectLists) -> Stability:
    """The nodes that wait for addresses to return to them, as the statuses say."""
    spells = {
        str(spec_of(body).get("preference")): Spell(0.0, streak=_WAITS[reason])
        for _, body in lists.entities()
        if (reason := condition(body, "PreferenceNotMet").get("reason")) in _WAITS
    }
    return Stability(mature=timing.MATURE, spells={AGENT: spells})


def infer_settled(
    lists: ObjectLists, read_plumbings_again: Callable[[], tuple[Body, ...]]
) -> InferredSnapshot:
    """The same after a second read of NodePlumbings, where an agent may just be acting on one."""
    if nodes_behind(lists.plumbings):
        lists = replace(lists, plumbings=read_plumbings_again())
    return infer_snapshot(lists)


def presumed_silence(plumbing: Plumbing, *, is_gone: bool) -> Suspicion:
    """The result that probes of a silent node must have had."""
    gone = frozenset(plumbing.nics) if is_gone else frozenset()
    return Suspicion(unreachable_on=gone, is_self_fenced=is_gone, is_lasting=True)


def _published_fields(
    published: lease_annotations.PublishedState | None, vips: tuple[VipObject, ...], read_at: float
) -> dict[str, Any]:
    """The published settings and quarantines as fields of a snapshot, or those in statuses."""
    if published is None:
        return {"quarantined": _quarantined(vips, read_at)}
    quarantined, until = published.quarantined({vip.address for vip in vips if vip.address})
    if not published.is_complete:
        for address, nodes in _quarantined(vips, read_at).items():
            quarantined[address] = quarantined.get(address, frozenset()) | nodes
    return {
        "quarantined": quarantined,
        "quarantined_until": until,
        "untrusted": published.untrusted,
        "max_aliases": published.max_aliases,
        "fencing": published.fencing,
    }


def _quarantined(vips: Iterable[VipObject], read_at: float) -> dict[str, frozenset[str]]:
    """`{address: nodes that failed to hold it}`, from the last moves in the statuses."""
    quarantined: dict[str, frozenset[str]] = {}
    for node, address, _ in quarantine.failures_in_last_moves(vips, read_at):
        quarantined[address] = quarantined.get(address, frozenset()) | {node}
    return quarantined


def nodes_behind(plumbings: tuple[Body, ...]) -> list[str]:
    """The nodes whose agent has not acted on its spec: read those again a moment later."""
    return [name_of(body) for body in plumbings if _is_behind(body)]


def _liveness(
    lists: ObjectLists, plumbings: Mapping[str, Plumbing]
) -> dict[str, InferredLiveness]:
    nodes = {name_of(body): body for body in lists.nodes}
    by_address = _from_address_statuses(lists, plumbings)
    return {
        name: _from_agent(body)
        or _from_operator(body)
        or by_address.get(name)
        or _from_progress(body, nodes.get(name, {}))
        for body in lists.plumbings
        for name in [name_of(body)]
    }


def _from_agent(body: Body) -> InferredLiveness | None:
    """From the agent's own condition `Ready`."""
    reason = condition(body, "Ready").get("reason")
    if not reason:
        return InferredLiveness(Liveness.UNKNOWN, "its agent has never reported")
    if reason == Reason.AGENT_STOPPED:
        return InferredLiveness(Liveness.UNKNOWN, "its agent has said goodbye")
    if reason == Reason.AGENT_STOPPING:
        return InferredLiveness(Liveness.ALIVE, "its agent is ending")
    if reason == Reason.AGENT_STARTING:
        return InferredLiveness(Liveness.WARMING_UP, "its agent says that it is starting")
    return None


def _from_operator(body: Body) -> InferredLiveness | None:
    """From the condition `Heard`."""
    heard = condition(body, "Heard")
    reason = heard.get("reason")
    if heard.get("status") == "True":
        return InferredLiveness(Liveness.ALIVE, "the operator hears it")
    if reason in {Reason.NODE_SILENT, Reason.NODE_GONE}:
        basis = f"the operator says {reason}"
        return InferredLiveness(Liveness.SUSPECT, basis, is_gone=reason == Reason.NODE_GONE)
    return None


def _from_address_statuses(
    lists: ObjectLists, plumbings: Mapping[str, Plumbing]
) -> dict[str, InferredLiveness]:
    granted = {a: name for name, plumbing in plumbings.items() for a in plumbing.granted}
    inferred: dict[str, InferredLiveness] = {}
    for _, body in lists.entities():
        reason = condition(body, "Ready").get("reason")
        owner = str(status_of(body).get("owner") or "")
        address = str(spec_of(body).get("address") or "")
        if reason == Reason.OWNER_UNREACHABLE and owner in plumbings:
            inferred[owner] = InferredLiveness(
                Liveness.SUSPECT, f"the status of {address} says {reason}"
            )
        elif reason == Reason.OWNER_LOST and address in granted:
            basis = f"the status of {address} says {reason}"
            inferred[granted[address]] = InferredLiveness(Liveness.SUSPECT, basis, is_gone=True)
        elif reason == Reason.SERVED and owner in plumbings and plumbings[owner].has_acted:
            inferred.setdefault(
                owner, InferredLiveness(Liveness.ALIVE, "its agent reports what it serves")
            )
    return inferred


def _from_progress(body: Body, node: Body) -> InferredLiveness:
    if _is_behind(body):
        basis = "its agent has not acted on its NodePlumbing as it stands"
        return InferredLiveness(Liveness.SUSPECT, basis, is_gone=True)
    if condition(node, "Ready").get("status") == "Unknown":
        return InferredLiveness(Liveness.SUSPECT, "the Node's kubelet is not heard", is_gone=True)
    return InferredLiveness(Liveness.ALIVE, "its agent has acted on its NodePlumbing as it stands")


def _is_behind(body: Body) -> bool:
    """Whether the agent has not acted on its spec; one that refuses the spec has read it."""
    reason = condition(body, "Ready").get("reason")
    generation = metadata_of(body).get("generation")
    is_reported = reason not in {None, Reason.AGENT_STOPPED, Reason.AGENT_STARTING}
    has_read = reason == Reason.SPEC_REFUSED
    return is_reported and not has_read and status_of(body).get("observedGeneration") != generation
