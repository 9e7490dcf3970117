"""`doctor`: one line a check, from the API server outwards to the machine that it runs on."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from duravip_api.manifest import KINDS, Kind
from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.doctor import installation_checks, machine_checks, machine_probe, object_checks
from duravip_cli.doctor.findings import Finding
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.inferred_snapshot import lagging
from duravip_cli.views.objects import SYSTEM_NAMESPACE, Body, spec_of

SECOND_LOOK = 2.0
"""After so long a stale Lease is looked at again, in seconds."""
A_MOMENT = 1.0
"""And so are objects that have just been changed."""

TOLERATED = 2.0
"""A difference of clocks that does no harm."""

VERB: Final = Verb(
    summary="Check that DuraVIP is well: kinds, operator, agents, addresses, and this node",
    details=(
        "On a node also: kernel, nftables, ARP settings, kube-proxy, ports. Ends with 1 when a "
        "line says FAIL."
    ),
    examples=(
        ("doctor", "everything"),
        ("doctor --system-namespace vips", "installed elsewhere"),
        ("doctor --node-local", "on a node, as root: the node alone"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `doctor` takes."""
    parser.add_argument(
        "--system-namespace", default=SYSTEM_NAMESPACE, metavar="NS",
        help=f"where the operator's Leases are (default: {SYSTEM_NAMESPACE})",
    )  # fmt: skip
    parser.add_argument(
        "--node-local", action="store_true",
        help="only what concerns the machine that this runs on, with or without a cluster",
    )  # fmt: skip


def run(call: Call) -> Code:
    """Print the findings as they come."""
    found: list[Finding] = []
    for finding in _findings(call):
        found.append(finding)
        if not call.output.is_json:
            call.output.line(f"{finding.verdict:4}  {finding.check}: {finding.message}")
    if call.output.is_json:
        call.output.json([finding._asdict() for finding in found])
    return Code.PROBLEM if any(finding.verdict == "FAIL" for finding in found) else Code.FINE


def _findings(call: Call) -> Iterator[Finding]:
    if call.asked.node_local:
        yield from _here(call)
        return
    yield Finding("ok", "API server", f"it answers, version {call.api.version()}")
    yield machine_checks.of_clock(call.api.ahead(), TOLERATED)
    kinds = list(_kinds(call))
    yield from kinds
    yield from _allowed("operator", lambda: _operator(call))
    yield from _allowed("pods", lambda: _pods(call))
    if any("no CustomResourceDefinition" in finding.message for finding in kinds):
        return
    yield from _allowed("webhook", lambda: _webhook(call))
    yield from _objects(call)
    if machine_probe.which(call.api.list("NodePlumbing")):
        yield from _here(call)


def _here(call: Call) -> Iterator[Finding]:
    """The machine; of the cluster only what tells where to look, as far as it can be asked."""
    plumbing: Body | None = None
    watched: tuple[str, ...] = ()
    try:
        plumbing = machine_probe.which(call.api.list("NodePlumbing"))
        topologies = call.api.list("Topology")
        watched = tuple(sorted({str(spec_of(body).get("interface")) for body in topologies}))
        if call.asked.node_local:
            yield machine_checks.of_clock(call.api.ahead(), TOLERATED)
            if plumbing:
                yield from object_checks.of_agent(plumbing)
    except CommandError as error:
        yield Finding("warn", "cluster", f"not asked: {error}")
    found = machine_probe.examined(plumbing)
    yield from machine_checks.of_machine(found, watched or found.interfaces)


def _kinds(call: Call) -> Iterator[Finding]:
    for kind in KINDS:
        yield from _allowed(f"kind {kind.model.__name__}", partial(_kind, call, kind))


def _kind(call: Call, kind: Kind) -> Iterable[Finding]:
    return [installation_checks.of_kind(kind, call.api.definition(kind.name))]


def _operator(call: Call) -> Iterable[Finding]:
    namespace = call.asked.system_namespace
    before = call.api.leases(namespace)
    after = before
    if not installation_checks.is_fresh(before, call.output.seconds_since):
        call.sleep(SECOND_LOOK)
        after = call.api.leases(namespace)
    return installation_checks.of_operator(before, after, call.output.seconds_since)


def _pods(call: Call) -> Iterable[Finding]:
    return installation_checks.of_pods(call.api.pods(call.asked.system_namespace))


def _webhook(call: Call) -> Iterable[Finding]:
    def refusal() -> str | None:
        body = installation_checks.never_served(call.api.list("Node"))
        return None if body is None else call.api.dry_run(body)

    configuration = call.api.webhook()
    is_served = configuration is None and _are_webhooks_served(call)
    return [installation_checks.of_webhook(configuration, refusal, is_served=is_served)]


def _are_webhooks_served(call: Call) -> bool:
    try:
        return installation_checks.serves_webhooks(call.api.pods(call.asked.system_namespace))
    except CommandError:  # who may not list pods is told that it is missing, all the same
        return False


def _objects(call: Call) -> Iterator[Finding]:
    lists = call.everything()
    late = any(finding.verdict != "ok" for finding in object_checks.of_statuses(lists))
    if late or lagging(lists.plumbings):
        call.sleep(A_MOMENT)
        plumbings = call.api.list("NodePlumbing")
        lists = replace(call.everything() if late else lists, plumbings=plumbings)
    yield from object_checks.of_nodes(lists)
    yield from object_checks.of_topologies(lists)
    yield from object_checks.of_addresses(lists)
    yield from object_checks.of_refusals(lists)
    yield from object_checks.of_statuses(lists)


def _allowed(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What one is not allowed to see is no failure of DuraVIP's."""
    try:
        yield from look()
    except CommandError as error:
        if error.code is Code.UNUSABLE:
            raise
        yield Finding("warn", check, f"not checked: {error}")
