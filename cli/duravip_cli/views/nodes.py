"""The rows of `nodes`: each Node with its NodePlumbing."""

from typing import Any, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_cli.views.objects import Body, condition, name_of, spec_of, status_of

_SHOWN = frozenset({"Ready", "Heard"})
"""The conditions that the column READY is made of."""


class NodeRow(NamedTuple):
    """A node."""

    name: str
    ready: str
    """The agent's; empty: there is no NodePlumbing, or no agent has reported."""
    reason: str
    message: str
    granted: int
    served: int
    is_behind: bool
    """Whether the agent has not acted on the spec as it stands."""
    excluded: str
    """The value of the exclusion label, or `yes` if that is empty; empty: no label."""
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


def node_rows(nodes: tuple[Body, ...], plumbings: tuple[Body, ...]) -> list[NodeRow]:
    """A row for each Node and each NodePlumbing, in the order of names."""
    by_name = {name_of(body): body for body in nodes}
    plumbed = {name_of(body): body for body in plumbings}
    return [_row(name, by_name, plumbed) for name in sorted(by_name.keys() | plumbed.keys())]


def exclusion(node: Body) -> str | None:
    """The value of a Node's exclusion label; None: it has none."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    return str(labels[EXCLUDE_LABEL]) if EXCLUDE_LABEL in labels else None


def _readiness(body: Body) -> Body:
    """The condition Heard, which the operator writes, where it is worse than the agent's Ready."""
    heard, own = condition(body, "Heard"), condition(body, "Ready")
    return heard if heard.get("status") == "False" and own.get("status") != "False" else own


def _row(name: str, nodes: dict[str, Body], plumbings: dict[str, Body]) -> NodeRow:
    node, body = nodes.get(name, {}), plumbings.get(name, {})
    spec, status, ready = spec_of(body), status_of(body), _readiness(body)
    excluded = exclusion(node)
    generation = (body.get("metadata") or {}).get("generation")
    return NodeRow(
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
