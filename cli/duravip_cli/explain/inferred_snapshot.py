"""The operator's snapshot, rebuilt from what the API server tells.

Whom the operator hears it says in the condition `Heard` of each NodePlumbing. Where that is not
there it is inferred, with what it is inferred from, in this order:

1. an agent that said goodbye, or never reported, or is starting, says so itself, and is believed
   before the condition;
2. the operator says of an owner that it is not heard, or lost, or that it serves;
3. an agent that has not acted on its spec as it stands is taken as dead: a living one needs
   milliseconds;
4. a Node whose kubelet is not heard is taken as dead;
5. any other is taken as heard.

What the operator was started with (`--fencing`, `--max-aliases`), what it has given up and which
nodes contradict themselves, stands in the Lease of its leader. Whoever may not read that decides
by the defaults, and by what `lastMove` tells of addresses that a node has failed to hold.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from duravip_api.reasons import Reason
from duravip_cli.views.objects import Body, Lists, condition, name_of, spec_of, status_of
from duravip_operator.core import lease_annotations, parsing, quarantine
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot, Suspicion, VipObject

CAVEAT = (
    "not of every node the operator says whether it hears it: that is inferred from the "
    "NodePlumbings, the Nodes and the statuses"
)


UNPUBLISHED = (
    "the Lease of the operator's leader cannot be read: the defaults of its settings are taken, "
    "and what it has given up is inferred"
)


class Heard(NamedTuple):
    """What is taken for a node's hearing, and why."""

    hearing: Liveness
    basis: str
    is_gone: bool = False
    """Whether its addresses no longer answer, either."""


class View(NamedTuple):
    """A snapshot, and what its hearing was inferred from."""

    snapshot: Snapshot
    heard: Mapping[str, Heard]
    is_told: bool = False
    """Whether the operator says of every node whether it hears it."""
    is_published: bool = True
    """Whether the settings of the operator could be read, and what it has set aside."""

    @property
    def note(self) -> str:
        """What is to be kept in mind about it."""
        notes = ["" if self.is_told else CAVEAT, "" if self.is_published else UNPUBLISHED]
        return "; ".join(filter(None, notes))


def view(lists: Lists) -> View:
    """The cluster as the operator must see it."""
    plumbings = {name_of(body): parsing.plumbing(body) for body in lists.plumbings}
    heard = _heard(lists, plumbings)
    vips = tuple(parsing.vip_object(kind, body) for kind, body in lists.entities())
    notes = (lists.lease or {}).get("metadata", {}).get("annotations") or {}
    published = lease_annotations.parse_lease(notes)
    nodes = {name_of(body): parsing.node(body) for body in lists.nodes}
    if published and published.ignores_exclude_label:
        nodes = {name: parsing.without_exclude_label(node) for name, node in nodes.items()}
    snapshot = Snapshot(
        vips=vips,
        topologies=tuple(parsing.topology(body) for body in lists.topologies),
        nodes=nodes,
        plumbings=plumbings,
        liveness={name: found.hearing for name, found in heard.items()},
        suspicions={
            name: silence(plumbings[name], is_gone=found.is_gone)
            for name, found in heard.items()
            if found.hearing is Liveness.SUSPECT
        },
        witnessed={name: frozenset(plumbing.nics) for name, plumbing in plumbings.items()},
        **_published(published, vips, lists.read_at),
    )
    is_told = all(condition(body, "Heard") for body in lists.plumbings)
    return View(snapshot, heard, is_told, published is not None)


def silence(plumbing: Plumbing, *, is_gone: bool) -> Suspicion:
    """What is known of a silent node: that nothing of it answers, or that it may."""
    gone = frozenset(plumbing.nics) if is_gone else frozenset()
    return Suspicion(unreachable_on=gone, is_self_fenced=is_gone, is_lasting=True)


def _published(
    told: lease_annotations.PublishedState | None, vips: tuple[VipObject, ...], read_at: float
) -> dict[str, Any]:
    """What the operator says of itself, as fields of a snapshot; else what statuses tell of it."""
    if told is None:
        return {"quarantined": _quarantined(vips, read_at)}
    quarantined, until = told.quarantined({vip.address for vip in vips if vip.address})
    if not told.is_complete:
        for address, nodes in _quarantined(vips, read_at).items():
            quarantined[address] = quarantined.get(address, frozenset()) | nodes
    return {
        "quarantined": quarantined,
        "quarantined_until": until,
        "untrusted": told.untrusted,
        "max_aliases": told.max_aliases,
        "fencing": told.fencing,
    }


def _quarantined(vips: Iterable[VipObject], read_at: float) -> dict[str, frozenset[str]]:
    """`{address: nodes that failed to hold it}`, as the last moves tell."""
    found: dict[str, frozenset[str]] = {}
    for node, address, _ in quarantine.failures_in_last_moves(vips, read_at):
        found[address] = found.get(address, frozenset()) | {node}
    return found


def lagging(plumbings: tuple[Body, ...]) -> list[str]:
    """The nodes whose agent has not acted on its spec: worth another look a moment later."""
    return [name_of(body) for body in plumbings if _lags(body)]


def _heard(lists: Lists, plumbings: Mapping[str, Plumbing]) -> dict[str, Heard]:
    nodes = {name_of(body): body for body in lists.nodes}
    said = _said_by_operator(lists, plumbings)
    return {
        name: _reported(body) or _told(body) or said.get(name) or _alive(body, nodes.get(name, {}))
        for body in lists.plumbings
        for name in [name_of(body)]
    }


def _reported(body: Body) -> Heard | None:
    """What the agent says of itself."""
    reason = condition(body, "Ready").get("reason")
    if not reason:
        return Heard(Liveness.UNKNOWN, "its agent has never reported")
    if reason == Reason.AGENT_STOPPED:
        return Heard(Liveness.UNKNOWN, "its agent has said goodbye")
    if reason == Reason.AGENT_STOPPING:
        return Heard(Liveness.ALIVE, "its agent is ending")
    if reason == Reason.AGENT_STARTING:
        return Heard(Liveness.WARMING_UP, "its agent says that it is starting")
    return None


def _told(body: Body) -> Heard | None:
    """What the operator says of it, in so many words."""
    told = condition(body, "Heard")
    reason = told.get("reason")
    if told.get("status") == "True":
        return Heard(Liveness.ALIVE, "the operator hears it")
    if reason in {Reason.NODE_SILENT, Reason.NODE_GONE}:
        basis = f"the operator says {reason}"
        return Heard(Liveness.SUSPECT, basis, is_gone=reason == Reason.NODE_GONE)
    return None


def _said_by_operator(lists: Lists, plumbings: Mapping[str, Plumbing]) -> dict[str, Heard]:
    granted = {a: name for name, plumbing in plumbings.items() for a in plumbing.granted}
    found: dict[str, Heard] = {}
    for _, body in lists.entities():
        reason = condition(body, "Ready").get("reason")
        owner = str(status_of(body).get("owner") or "")
        address = str(spec_of(body).get("address") or "")
        if reason == Reason.OWNER_UNREACHABLE and owner in plumbings:
            found[owner] = Heard(Liveness.SUSPECT, f"the status of {address} says {reason}")
        elif reason == Reason.OWNER_LOST and address in granted:
            basis = f"the status of {address} says {reason}"
            found[granted[address]] = Heard(Liveness.SUSPECT, basis, is_gone=True)
        elif reason == Reason.SERVED and owner in plumbings and plumbings[owner].has_acted:
            found.setdefault(owner, Heard(Liveness.ALIVE, "its agent reports what it serves"))
    return found


def _alive(body: Body, node: Body) -> Heard:
    if _lags(body):
        basis = "its agent has not acted on its NodePlumbing as it stands"
        return Heard(Liveness.SUSPECT, basis, is_gone=True)
    if condition(node, "Ready").get("status") == "Unknown":
        return Heard(Liveness.SUSPECT, "the Node's kubelet is not heard", is_gone=True)
    return Heard(Liveness.ALIVE, "its agent has acted on its NodePlumbing as it stands")


def _lags(body: Body) -> bool:
    """A spec that the agent refuses was read by a living one."""
    reason = condition(body, "Ready").get("reason")
    generation = (body.get("metadata") or {}).get("generation")
    is_reported = reason not in {None, Reason.AGENT_STOPPED, Reason.AGENT_STARTING}
    has_read = reason == Reason.SPEC_REFUSED
    return is_reported and not has_read and status_of(body).get("observedGeneration") != generation
