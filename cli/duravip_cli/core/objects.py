"""What `doctor` makes of the objects that people wrote."""

from collections import defaultdict
from collections.abc import Iterator

from duravip_api.reasons import Reason
from duravip_cli.core.findings import NAMED, Finding, Verdict, named
from duravip_cli.core.lists import (
    Body,
    Lists,
    condition,
    label_of,
    name_of,
    spec_of,
    status_of,
)
from duravip_cli.core.units import Unit, units


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
