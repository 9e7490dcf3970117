"""What `doctor` makes of the nodes and their agents."""

from collections import defaultdict
from collections.abc import Iterator

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.core.findings import Finding, named
from duravip_cli.core.lists import Body, Lists
from duravip_cli.core.machines import Machine, machines
from duravip_operator.core import publication


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
    published = publication.read(notes)
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
