"""The checks of `doctor` on objects: addresses, Topologies, statuses, nodes and agents."""

from collections import defaultdict
from collections.abc import Iterator

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_api.reasons import Reason
from duravip_cli.doctor.findings import NAMED, Finding, Verdict, named
from duravip_cli.views.addresses import Unit, units
from duravip_cli.views.nodes import Machine, machines
from duravip_cli.views.objects import (
    Body,
    Lists,
    condition,
    label_of,
    name_of,
    spec_of,
    status_of,
)
from duravip_operator.core import lease_annotations


def of_addresses(lists: Lists) -> Iterator[Finding]:
    """Whether every address that is managed has an owner, and what is flagged."""
    found = units(lists)
    wrong: dict[tuple[Verdict, str, str], list[str]] = defaultdict(list)
    for unit in found:
        for verdict, reason, message in _of_unit(unit):
            wrong[verdict, reason, message].append(unit.address or unit.entities[0])
    grouped: dict[tuple[Verdict, str], list[str]] = defaultdict(list)
    for (verdict, reason, message), addresses in wrong.items():
        grouped[verdict, reason].append(f"{named(addresses)}: {message}" if message
                                        else named(addresses))  # fmt: skip
    for (verdict, reason), said in grouped.items():
        more = f" (and {len(said) - NAMED} more like it)" if len(said) > NAMED else ""
        yield Finding(verdict, "addresses", f"{reason}: {'; '.join(said[:NAMED])}{more}")
    owned = sum(unit.state == "Owned" for unit in found)
    if not any(verdict == "FAIL" for verdict, _ in grouped):
        yield Finding("ok", "addresses", f"{owned} of {len(found)} have an owner")


def of_refusals(lists: Lists) -> Iterator[Finding]:
    """Objects that are refused while the address they name is served for others."""
    spoken_for = {unit.address: unit for unit in units(lists)}
    for kind, body in lists.entities():
        unit = spoken_for.get(str(spec_of(body).get("address") or ""))
        if status_of(body).get("state") == "Broken" and unit and unit.state != "Broken":
            ready = condition(body, "Ready")
            said = f"{label_of(kind, body)}: {ready.get('reason')}: {ready.get('message')}"
            yield Finding("FAIL", "objects", said)


def of_topologies(lists: Lists) -> Iterator[Finding]:
    """Whether every Topology is in use and has nodes."""
    if not lists.topologies:
        yield Finding("warn", "topologies", "there is none: no address can have an owner")
    wrong = 0
    for body in lists.topologies:
        ready, status = condition(body, "Ready"), status_of(body)
        if ready.get("status") == "False":
            wrong += 1
            verdict: Verdict = "FAIL" if status.get("addresses") or _is_refused(ready) else "warn"
            said = f"{name_of(body)}: {ready.get('reason')}: {ready.get('message')}"
            yield Finding(verdict, "topologies", said)
        for kind in ("NoWitness",):
            if (note := condition(body, kind)).get("status") == "True":
                yield Finding("warn", "topologies", f"{name_of(body)}: {note.get('message')}")
    if lists.topologies and not wrong:
        yield Finding("ok", "topologies", f"{len(lists.topologies)}, each with nodes")


def of_statuses(lists: Lists) -> Iterator[Finding]:
    """Whether the operator has answered to every object as it stands."""
    bodies: list[tuple[str, Body]] = [*lists.entities()]
    bodies += [("Topology", body) for body in lists.topologies]
    behind = [
        label_of(kind, body)
        for kind, body in bodies
        if status_of(body).get("observedGeneration")
        != (body.get("metadata") or {}).get("generation")
    ]
    if behind:
        said = f"{len(behind)} statuses are behind their objects: {named(behind)}"
        yield Finding("FAIL", "statuses", f"{said}; does an operator lead?")
    else:
        yield Finding("ok", "statuses", f"all {len(bodies)} objects are answered to")


def _is_refused(ready: Body) -> bool:
    return ready.get("reason") != Reason.NO_NODE_HAS_INTERFACE


def _of_unit(unit: Unit) -> Iterator[tuple[Verdict, str, str]]:
    if unit.state in {"Unassigned", "Broken"}:
        yield "FAIL", f"{unit.state}: {unit.reason}", unit.message
    elif unit.state == "Moving":
        yield "warn", f"Moving: {unit.reason}", unit.message
    elif unit.reason == Reason.OWNER_UNREACHABLE:
        yield "warn", unit.reason, unit.message
    for flag in unit.flags.split(","):
        if flag in {"Conflict", "Unsafe"}:
            yield "warn", flag, ""


def of_nodes(lists: Lists) -> Iterator[Finding]:
    """Whether every Node has an agent that is ready, all of one version."""
    found = machines(lists.nodes, lists.plumbings)
    wrong = [finding for machine in found for finding in _of_node(machine)]
    yield from wrong
    yield from _of_excluded(found, lists)
    versions: dict[str, list[str]] = defaultdict(list)
    for machine in found:
        if machine.version:
            versions[machine.version].append(machine.name)
    if len(versions) > 1:
        listed = "; ".join(f"{v} on {named(n)}" for v, n in sorted(versions.items()))
        yield Finding("warn", "agents", f"they are of different versions: {listed}")
    if not found:
        yield Finding("FAIL", "agents", "there is no Node")
    elif not any(finding.verdict == "FAIL" for finding in wrong):
        version = ", ".join(versions) or "none"
        yield Finding("ok", "agents", f"ready on all of {len(found)} nodes, version {version}")


def of_agent(plumbing: Body) -> Iterator[Finding]:
    """Whether the agent of one node says that it is ready, as far as its NodePlumbing tells."""
    (found,) = machines((), (plumbing,))
    wrong = list(_of_node(found._replace(is_known=True)))
    yield from wrong or [Finding("ok", "agents", f"{found.name}: ready")]


def _of_excluded(found: list[Machine], lists: Lists) -> Iterator[Finding]:
    """Nodes that hold nothing because of a label; kubeadm sets it on control-plane nodes."""
    drained = [m.name for m in found if m.excluded == DRAINED]
    if drained:
        yield Finding("warn", "agents", f"{named(drained)}: drained by `kubectl duravip drain`")
    notes = ((lists.lease or {}).get("metadata") or {}).get("annotations") or {}
    published = lease_annotations.parse_lease(notes)
    others = [m.name for m in found if m.excluded and m.excluded != DRAINED]
    if not others or (published and published.ignores_exclude_label):
        return
    is_all = all(machine.excluded for machine in found if machine.is_known)
    advice = "take the label off, or start the operator with --ignore-exclude-label"
    why = f"no address is put there, because of the label {EXCLUDE_LABEL}; {advice}"
    yield Finding("FAIL" if is_all else "warn", "agents", f"{named(others)}: {why}")


def _of_node(machine: Machine) -> Iterator[Finding]:
    name = machine.name
    if not machine.is_known:
        said = f"{name}: there is a NodePlumbing but no Node"
        yield Finding("warn", "agents", said)
        return
    if not machine.has_plumbing:
        yield Finding("FAIL", "agents", f"{name}: no NodePlumbing: does an operator lead?")
    elif not machine.ready:
        yield Finding("FAIL", "agents", f"{name}: no agent has ever reported")
    elif machine.ready != "True":
        said = f"{name}: {machine.reason}: {machine.message}"
        yield Finding("warn" if machine.excluded else "FAIL", "agents", said)
    elif machine.is_behind:
        said = f"{name}: the agent has not acted on its NodePlumbing as it stands: is it alive?"
        yield Finding("FAIL", "agents", said)
    for note in machine.notes:
        said = f"{name}: {note.get('reason')}: {note.get('message')}"
        yield Finding("warn", "agents", said)
    for what, listed in (("cannot plumb or remove", machine.failures),
                         ("is contested at", machine.contested)):  # fmt: skip
        if listed:
            addresses = [f"{item.get('address')} ({item.get('message')})" for item in listed]
            yield Finding("warn", "agents", f"{name} {what} {named(addresses)}")
