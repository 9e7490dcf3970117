"""The checks of `doctor` on objects: addresses, Topologies, statuses, nodes and agents."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_api.reasons import Reason
from duravip_cli.doctor import Finding, Severity
from duravip_cli.objects import (
    Body,
    ObjectLists,
    annotations_of,
    condition,
    label_of,
    name_of,
    spec_of,
    status_of,
)
from duravip_cli.rows import AddressRow, NodeRow, address_rows, node_rows
from duravip_operator.core import lease_annotations
from duravip_runtime.text import summarize

MAX_MESSAGES: Final = 5
"""Messages with the same reason that one finding lists."""


def check_addresses(lists: ObjectLists) -> Iterator[Finding]:
    """Whether every managed address has an owner, and which have flags."""
    rows = address_rows(lists)
    wrong: dict[tuple[Severity, str, str], list[str]] = defaultdict(list)
    for row in rows:
        for verdict, reason, message in _check_address(row):
            wrong[verdict, reason, message].append(row.address or row.entities[0])
    grouped: dict[tuple[Severity, str], list[str]] = defaultdict(list)
    for (verdict, reason, message), addresses in wrong.items():
        grouped[verdict, reason].append(f"{summarize(addresses)}: {message}" if message
                                        else summarize(addresses))  # fmt: skip
    for (verdict, reason), messages in grouped.items():
        shown, left = "; ".join(messages[:MAX_MESSAGES]), len(messages) - MAX_MESSAGES
        more = f" (and {left} more like it)" if left > 0 else ""
        yield Finding(verdict, "addresses", f"{reason}: {shown}{more}")
    owned = sum(row.state == "Owned" for row in rows)
    if not any(verdict == "FAIL" for verdict, _ in grouped):
        yield Finding("ok", "addresses", f"{owned} of {len(rows)} have an owner")


def check_refusals(lists: ObjectLists) -> Iterator[Finding]:
    """Objects that are refused although their address is served for other objects."""
    rows = {row.address: row for row in address_rows(lists)}
    for kind, body in lists.entities():
        row = rows.get(str(spec_of(body).get("address") or ""))
        if status_of(body).get("state") == "Broken" and row and row.state != "Broken":
            ready = condition(body, "Ready")
            message = f"{label_of(kind, body)}: {ready.get('reason')}: {ready.get('message')}"
            yield Finding("FAIL", "objects", message)


def check_topologies(lists: ObjectLists) -> Iterator[Finding]:
    """Whether every Topology has nodes, and witnesses."""
    if not lists.topologies:
        yield Finding("warn", "topologies", "there is none: no address can have an owner")
    wrong = 0
    for body in lists.topologies:
        ready, status = condition(body, "Ready"), status_of(body)
        if ready.get("status") == "False":
            wrong += 1
            is_refused = ready.get("reason") != Reason.NO_NODE_HAS_INTERFACE
            verdict: Severity = "FAIL" if status.get("addresses") or is_refused else "warn"
            message = f"{name_of(body)}: {ready.get('reason')}: {ready.get('message')}"
            yield Finding(verdict, "topologies", message)
        if (note := condition(body, "NoWitness")).get("status") == "True":
            yield Finding("warn", "topologies", f"{name_of(body)}: {note.get('message')}")
    if lists.topologies and not wrong:
        yield Finding("ok", "topologies", f"{len(lists.topologies)}, each with nodes")


def check_statuses(lists: ObjectLists) -> Iterator[Finding]:
    """Whether every status is about the current generation of its object."""
    bodies: list[tuple[str, Body]] = [*lists.entities()]
    bodies += [("Topology", body) for body in lists.topologies]
    behind = [
        label_of(kind, body)
        for kind, body in bodies
        if status_of(body).get("observedGeneration")
        != (body.get("metadata") or {}).get("generation")
    ]
    if behind:
        message = f"{len(behind)} statuses are behind their objects: {summarize(behind)}"
        yield Finding("FAIL", "statuses", f"{message}; does an operator lead?")
    else:
        yield Finding("ok", "statuses", f"all {len(bodies)} objects are answered to")


def _check_address(row: AddressRow) -> Iterator[tuple[Severity, str, str]]:
    if row.state in {"Unassigned", "Broken"}:
        yield "FAIL", f"{row.state}: {row.reason}", row.message
    elif row.state == "Moving":
        yield "warn", f"Moving: {row.reason}", row.message
    elif row.reason == Reason.OWNER_UNREACHABLE:
        yield "warn", row.reason, row.message
    for flag in row.flags.split(","):
        if flag in {"Conflict", "Unsafe"}:
            yield "warn", flag, ""


def check_nodes(lists: ObjectLists) -> Iterator[Finding]:
    """Whether every Node has an agent that is ready, and all are of one version."""
    rows = node_rows(lists.nodes, lists.plumbings)
    wrong = [finding for row in rows for finding in _check_node(row)]
    yield from wrong
    yield from _check_excluded(rows, lists)
    versions: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.version:
            versions[row.version].append(row.name)
    if len(versions) > 1:
        listed = "; ".join(f"{v} on {summarize(n)}" for v, n in sorted(versions.items()))
        yield Finding("warn", "agents", f"they are of different versions: {listed}")
    if not rows:
        yield Finding("FAIL", "agents", "there is no Node")
    elif not any(finding.verdict == "FAIL" for finding in wrong):
        version = ", ".join(versions) or "none"
        yield Finding("ok", "agents", f"ready on all of {len(rows)} nodes, version {version}")


def check_agent(plumbing: Body) -> Iterator[Finding]:
    """Whether the agent of one node is ready, by its NodePlumbing alone."""
    (row,) = node_rows((), (plumbing,))
    wrong = list(_check_node(row._replace(is_known=True)))
    yield from wrong or [Finding("ok", "agents", f"{row.name}: ready")]


def _check_excluded(rows: list[NodeRow], lists: ObjectLists) -> Iterator[Finding]:
    """Nodes with the exclusion label, which kubeadm sets on control-plane nodes."""
    if drained := [m.name for m in rows if m.excluded == DRAINED]:
        why = f"{summarize(drained)}: drained by `kubectl duravip drain`"
        yield Finding("warn", "agents", why)
    published = lease_annotations.parse_lease(annotations_of(lists.lease or {}))
    others = [m.name for m in rows if m.excluded and m.excluded != DRAINED]
    if not others or (published and published.ignores_exclude_label):
        return
    is_all = all(row.excluded for row in rows if row.is_known)
    advice = "take the label off, or start the operator with --ignore-exclude-label"
    why = f"no address is put there, because of the label {EXCLUDE_LABEL}; {advice}"
    yield Finding("FAIL" if is_all else "warn", "agents", f"{summarize(others)}: {why}")


def _check_node(row: NodeRow) -> Iterator[Finding]:
    name = row.name
    if not row.is_known:
        yield Finding("warn", "agents", f"{name}: there is a NodePlumbing but no Node")
        return
    if not row.has_plumbing:
        yield Finding("FAIL", "agents", f"{name}: no NodePlumbing: does an operator lead?")
    elif not row.ready:
        yield Finding("FAIL", "agents", f"{name}: no agent has ever reported")
    elif row.ready != "True":
        message = f"{name}: {row.reason}: {row.message}"
        yield Finding("warn" if row.excluded else "FAIL", "agents", message)
    elif row.is_behind:
        message = f"{name}: the agent has not acted on its NodePlumbing as it stands: is it alive?"
        yield Finding("FAIL", "agents", message)
    for note in row.notes:
        yield Finding("warn", "agents", f"{name}: {note.get('reason')}: {note.get('message')}")
    for what, listed in (("cannot plumb or remove", row.failures),
                         ("is contested at", row.contested)):  # fmt: skip
        if listed:
            addresses = [f"{item.get('address')} ({item.get('message')})" for item in listed]
            yield Finding("warn", "agents", f"{name} {what} {summarize(addresses)}")
