"""What the page shows of one object, as values that JSON can say.

What is empty is left out: there may be ten thousand rows. Texts are what people have written, as
they have written it; the page shows them as text and nothing else. They are cut, so that no
tenant's object makes the page large.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from duravip_api.addresses import to_int
from duravip_api.listeners import Port
from duravip_api.nodeplumbing import Nic
from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.readiness import check_line
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Plumbing,
    ReadinessKey,
    Suspicion,
    Topology,
    VipObject,
)

Row = dict[str, Any]

MAX_TEXT: Final = 300
"""Characters of one text."""
MAX_ITEMS: Final = 32
"""Items of one list: interfaces, names of nodes."""
MAX_ITEMS_OF_ROW: Final = 8
"""The same of an address: services, conditions."""


class OwnerReport(NamedTuple):
    """What a node's agent reports about programs that serve addresses."""

    listening: Mapping[str, Port] = {}
    """By the port's name."""
    wildcard_ports: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()


NO_REPORT: Final = OwnerReport()


def owner_report(plumbing: Plumbing) -> OwnerReport:
    """The report of this node's agent."""
    listening = {port.name: port for port in plumbing.listening}
    return OwnerReport(listening, plumbing.wildcard_ports, plumbing.passing)


def depends_on_owner(vip: VipObject) -> bool:
    """Whether its row shows something that another object or agent reports."""
    return bool(vip.services or vip.readiness)


def address_row(
    vip: VipObject, report: OwnerReport, endpoints: Mapping[str, ServiceEndpoints]
) -> Row:
    """One DuraVIP or Binding. `report` is that of its owner; `endpoints` are by Service."""
    status = vip.status
    ready, advice = _conditions(status)
    owner = str(status.get("owner") or "")
    flags = str(status.get("flags") or "-")
    row: Row = {
        "id": vip.label,
        "address": vip.address,
        "state": str(status.get("state") or ""),
        "owner": owner,
        "interface": str(status.get("interface") or ""),
        "since": str(status.get("since") or ""),
        "flags": "" if flags == "-" else flags,
        "preference": vip.preference,
        "follow": vip.follow,
        "participants": status.get("participants") or 0,
        "reason": ready[0],
        "message": ready[1],
        "advice": advice,
        "listens": [
            [name, port, _listens(vip.address, report.listening.get(port)) if owner else None]
            for port, name in sorted(vip.services)[:MAX_ITEMS_OF_ROW]
        ],
        "ready": [
            [
                key.kind,
                key.name[:MAX_TEXT],
                _is_fit(key, vip, report, endpoints) if owner else None,
            ]
            for key in sorted(vip.readiness)[:MAX_ITEMS_OF_ROW]
        ],
        "prefers": vip.readiness_policy == "Prefer",
    }
    return {key: _cut(value) for key, value in row.items() if value}


def _cut(value: object) -> object:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _conditions(status: Mapping[str, Any]) -> tuple[tuple[str, str], list[list[str]]]:
    """`(reason, message)` of Ready, and `[type, reason, message]` of all others that are true."""
    ready, advice = ("", ""), []
    for condition in (status.get("conditions") or ())[: MAX_ITEMS_OF_ROW + 1]:
        kind, reason, message = (
            str(condition.get(name) or "")[:MAX_TEXT] for name in ("type", "reason", "message")
        )
        if kind == "Ready":
            ready = (reason, message)
        elif condition.get("status") == "True":
            advice.append([kind, reason, message])
    return ready, advice


def _listens(address: str, port: Port | None) -> bool | None:
    """Whether somebody on the owner takes what comes to the port; None: nobody has looked."""
    if port is None or not address:
        return None
    family, number = to_int(address)
    return port.takes(family, 0) or port.takes(family, number)


def _is_fit(
    key: ReadinessKey,
    vip: VipObject,
    report: OwnerReport,
    endpoints: Mapping[str, ServiceEndpoints],
) -> bool:
    """Whether the owner meets it now."""
    if key.kind == "listening":
        return key.name in report.wildcard_ports
    if key.kind == "check":
        return check_line(key.name, str(vip.status.get("interface") or "")) in report.passing
    found = endpoints.get(key.name)
    return found is not None and (found.is_anywhere or vip.status.get("owner") in found.ready)


class NodeFacts(NamedTuple):
    """All that is known of one node."""

    name: str
    node: Node | None
    plumbing: Plumbing | None
    liveness: Liveness
    silence: Suspicion | None
    heartbeat: HeartbeatState | None


def node_column(facts: NodeFacts) -> Row:
    """One node: whether it is heard, what it is granted, what it has acted on, its interfaces."""
    row: Row = {"name": facts.name, "state": _node_state(facts)}
    if facts.node is None:
        row["why"] = "there is no Node of this name"
    elif facts.node.excluded:
        row["excluded"] = True
    if facts.silence:
        row["gone"] = sorted(facts.silence.unreachable_on)[:MAX_ITEMS]
        row["answers"] = sorted(facts.silence.reachable_on)[:MAX_ITEMS]
    if plumbing := facts.plumbing:
        row |= {
            "granted": sum(map(len, plumbing.grants.values())),
            "served": len(plumbing.served),
            "generation": plumbing.generation,
            "acted": _acted_generation(plumbing, facts.heartbeat),
            "epoch": plumbing.epoch,
            "failures": len(plumbing.failures),
            "contested": len(plumbing.claims),
            "nics": [_nic(nic) for nic in list(plumbing.nics.values())[:MAX_ITEMS]],
        }
        if plumbing.unready and "why" not in row:
            row["why"] = plumbing.unready[1][:MAX_TEXT]
    return row


def _node_state(facts: NodeFacts) -> str:
    plumbing = facts.plumbing
    if plumbing and plumbing.stopped:
        return "stopped"
    if facts.liveness is Liveness.ALIVE and plumbing:
        if plumbing.leaving:
            return "leaving"
        if plumbing.unready:
            return "unready"
    return facts.liveness.value


def _acted_generation(plumbing: Plumbing, heartbeat: HeartbeatState | None) -> int:
    """The generation that the agent has acted on: its heartbeats say so before its status does."""
    told = heartbeat.generation if heartbeat and heartbeat.boot == plumbing.boot else 0
    return max(told, plumbing.observed_generation or 0)


def _nic(nic: Nic) -> Row:
    fault = nic.unusable or nic.unusable_ipv4 or nic.unusable_ipv6 or ""
    row = {
        "name": nic.name,
        "up": nic.up and nic.carrier,
        "speed": nic.speed_mbps or 0,
        "fault": fault[:MAX_TEXT],
    }
    return {key: value for key, value in row.items() if value}


def segment_row(topology: Topology, used: Mapping[str, int], unwitnessed: list[str]) -> Row:
    """One Topology: `used` counts its nodes by interface; `unwitnessed` nobody else hears."""
    ready, advice = _conditions(topology.status)
    nodes = sum(used.values())
    row: Row = {
        "name": topology.name,
        "cidr": topology.cidr,
        "interface": topology.candidates.label,
        "nodes": nodes,
        "addresses": topology.status.get("addresses") or 0,
        "witnessed": max(0, nodes - len(unwitnessed)),
        "unwitnessed": unwitnessed[:MAX_ITEMS],
        "fencing": topology.placement.fencing,
        "reason": ready[0],
        "message": ready[1] if ready[0] != "Accepted" else "",
        "advice": advice,
    }
    return {key: value for key, value in row.items() if value}
