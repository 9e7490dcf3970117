"""The rows of `nodes`: Nodes and NodePlumbings side by side."""

from typing import Any, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_cli.views.objects import Body, condition, name_of, spec_of, status_of

_SHOWN = frozenset({"Ready", "Heard"})
"""The conditions that are shown as the node's readiness."""


class Machine(NamedTuple):
    """A node."""

    name: str
    ready: str
    """Of its agent; empty: there is no NodePlumbing, or no agent has reported."""
    reason: str
    message: str
    granted: int
    served: int
    is_behind: bool
    """Whether the agent has not acted on the spec as it stands."""
    excluded: str
    """The value of the label that takes it out, or `yes`; empty: it is not there."""
    version: str
    failures: tuple[Body, ...]
    contested: tuple[Body, ...]
    notes: tuple[Body, ...]
    """Conditions beside Ready that are true, or whose name says what is wrong."""
    nics: tuple[Body, ...]
    is_known: bool
    """Whether there is a Node of this name."""
    has_plumbing: bool

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        return {
            "node": self.name,
            "ready": self.ready,
            "reason": self.reason,
            "message": self.message,
            "granted": self.granted,
            "served": self.served,
            "behind": self.is_behind,
            "excluded": self.excluded,
            "agent": self.version,
            "failures": self.failures,
            "contested": self.contested,
            "conditions": self.notes,
            "nics": self.nics,
        }


def machines(nodes: tuple[Body, ...], plumbings: tuple[Body, ...]) -> list[Machine]:
    """Every node that Kubernetes, or the operator, knows, in the order of names."""
    known = {name_of(body): body for body in nodes}
    plumbed = {name_of(body): body for body in plumbings}
    return [_machine(name, known, plumbed) for name in sorted(known.keys() | plumbed.keys())]


def exclusion(node: Body) -> str | None:
    """The value of the label that takes a Node out; None when it is not there."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    return str(labels[EXCLUDE_LABEL]) if EXCLUDE_LABEL in labels else None


def _readiness(body: Body) -> Body:
    """What the operator says of the agent, where that is worse than what it says itself."""
    heard, own = condition(body, "Heard"), condition(body, "Ready")
    return heard if heard.get("status") == "False" and own.get("status") != "False" else own


def _machine(name: str, nodes: dict[str, Body], plumbings: dict[str, Body]) -> Machine:
    node, body = nodes.get(name, {}), plumbings.get(name, {})
    spec, status, ready = spec_of(body), status_of(body), _readiness(body)
    excluded = exclusion(node)
    generation = (body.get("metadata") or {}).get("generation")
    return Machine(
        name=name,
        ready=str(ready.get("status") or ""),
        reason=str(ready.get("reason") or ""),
        message=str(ready.get("message") or ""),
        granted=int(spec.get("grantedCount") or 0),
        served=int(status.get("servedCount") or len(status.get("served") or ())),
        is_behind=bool(ready) and status.get("observedGeneration") != generation,
        excluded="" if excluded is None else excluded or "yes",
        version=str((status.get("agent") or {}).get("version") or ""),
        failures=tuple(status.get("failures") or ()),
        contested=tuple(status.get("contested") or ()),
        notes=tuple(c for c in status.get("conditions") or () if c.get("type") not in _SHOWN),
        nics=tuple(status.get("nics") or ()),
        is_known=bool(node),
        has_plumbing=bool(body),
    )
