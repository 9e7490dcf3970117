"""`doctor`: one line a check, from the API server outwards to the machine that it runs on."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from duravip_api.manifest import KINDS, Kind
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.doctor import (
    Finding,
    installation_checks,
    machine_checks,
    machine_probe,
    object_checks,
    service_checks,
)
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.inferred_snapshot import nodes_behind
from duravip_cli.objects import SYSTEM_NAMESPACE, Body, ObjectLists, spec_of

LEASE_RENEWED_WITHIN_S = 2.0
"""After so long a stale Lease is looked at again, in seconds."""
SETTLE_AFTER_S = 1.0
"""And so are objects that have just been changed."""

CLOCK_TOLERANCE_S = 2.0
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


def run(context: Context) -> ExitCode:
    """Print the findings as they come."""
    findings: list[Finding] = []
    for finding in _findings(context):
        findings.append(finding)
        if not context.output.is_json:
            context.output.verdict(finding.verdict, f"{finding.check}: {finding.message}")
    if context.output.is_json:
        context.output.json([finding._asdict() for finding in findings])
    is_failure = any(finding.verdict == "FAIL" for finding in findings)
    return ExitCode.PROBLEM if is_failure else ExitCode.OK


def _findings(context: Context) -> Iterator[Finding]:
    if context.arguments.node_local:
        yield from _machine(context)
        return
    yield Finding("ok", "API server", f"it answers, version {context.api.version()}")
    yield machine_checks.check_clock(context.api.clock_ahead(), CLOCK_TOLERANCE_S)
    kinds = [
        finding
        for kind in KINDS
        for finding in _if_allowed(f"kind {kind.model.__name__}", partial(_kind, context, kind))
    ]
    yield from kinds
    yield from _if_allowed("operator", lambda: _operator(context))
    namespace = context.arguments.system_namespace
    yield from _if_allowed(
        "pods", lambda: installation_checks.check_pods(context.api.pods(namespace))
    )
    if any("no CustomResourceDefinition" in finding.message for finding in kinds):
        return
    yield from _if_allowed("webhook", lambda: _webhook(context))
    try:
        lists = _read_settled(context)
    except CommandError as error:
        if error.code is ExitCode.USAGE:
            raise
        yield Finding("warn", "objects", f"not checked: {error}")
        lists = ObjectLists(refused={"NodePlumbing": str(error)})
    else:
        yield from (
            Finding("warn", kind, f"not checked: {why}") for kind, why in lists.refused.items()
        )
        yield from _objects(context, lists)
    if machine_probe.find_own_plumbing(lists.plumbings):
        yield from _machine(context)
    elif "NodePlumbing" in lists.refused:
        yield Finding("warn", "machine", "not checked: if it is a node, add --node-local")


def _machine(context: Context) -> Iterator[Finding]:
    """The machine; of the cluster only what tells where to look, as far as it can be arguments."""
    plumbing: Body | None = None
    watched: tuple[str, ...] = ()
    try:
        plumbing = machine_probe.find_own_plumbing(context.api.list("NodePlumbing"))
        topologies = context.api.list("Topology")
        watched = tuple(sorted({str(spec_of(body).get("interface")) for body in topologies}))
        if context.arguments.node_local:
            yield machine_checks.check_clock(context.api.clock_ahead(), CLOCK_TOLERANCE_S)
            if plumbing:
                yield from object_checks.check_agent(plumbing)
    except CommandError as error:
        yield Finding("warn", "cluster", f"not asked: {error}")
    state = machine_probe.probe_machine(plumbing)
    yield from machine_checks.check_machine(state, watched or state.interfaces)


def _kind(context: Context, kind: Kind) -> Iterable[Finding]:
    return [installation_checks.check_kind(kind, context.api.definition(kind.name))]


def _operator(context: Context) -> Iterable[Finding]:
    namespace = context.arguments.system_namespace
    before = after = context.api.leases(namespace)
    if not installation_checks.is_lease_fresh(before, context.output.seconds_since):
        context.sleep(LEASE_RENEWED_WITHIN_S)
        after = context.api.leases(namespace)
    return installation_checks.check_operator(before, after, context.output.seconds_since)


def _webhook(context: Context) -> Iterable[Finding]:
    def refusal() -> str | None:
        body = installation_checks.unservable_duravip(context.api.list("Node"))
        return None if body is None else context.api.dry_run(body)

    configuration = context.api.webhook()
    is_served = configuration is None and _are_webhooks_served(context)
    return [installation_checks.check_webhook(configuration, refusal, is_served=is_served)]


def _are_webhooks_served(context: Context) -> bool:
    try:
        return installation_checks.serves_webhooks(
            context.api.pods(context.arguments.system_namespace)
        )
    except CommandError:  # who may not list pods is told that it is missing, all the same
        return False


def _read_settled(context: Context) -> ObjectLists:
    """The lists; read twice where what is late may only just be under way."""
    lists = context.read_allowed()
    late = any(finding.verdict != "ok" for finding in object_checks.check_statuses(lists))
    if late or nodes_behind(lists.plumbings):
        context.sleep(SETTLE_AFTER_S)
        return context.read_allowed()
    return lists


def _objects(context: Context, lists: ObjectLists) -> Iterator[Finding]:
    """What is wrong with objects, as far as they may be read."""
    refused = lists.refused.keys()
    if not refused & {"Node", "NodePlumbing"}:
        yield from object_checks.check_nodes(lists)
    if "Topology" not in refused:
        yield from object_checks.check_topologies(lists)
    yield from object_checks.check_addresses(lists)
    yield from object_checks.check_refusals(lists)
    yield from object_checks.check_statuses(lists)
    yield from _if_allowed("pools", lambda: _pools(context, lists))
    yield from _if_allowed("services", lambda: _services(context, lists))


def _pools(context: Context, lists: ObjectLists) -> Iterable[Finding]:
    return service_checks.check_pools(context.api.list("AddressPool"), lists.topologies)


def _services(context: Context, lists: ObjectLists) -> Iterator[Finding]:
    findings = list(service_checks.check_services(context.api.services(), lists.duravips))
    yield from findings
    if findings:  # the mode matters to Services alone
        yield from service_checks.check_proxy(context.api.config_map("kube-system", "kube-proxy"))


def _if_allowed(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What one is not allowed to see is no failure of DuraVIP's."""
    try:
        yield from look()
    except CommandError as error:
        if error.code is ExitCode.USAGE:
            raise
        yield Finding("warn", check, f"not checked: {error}")
