"""The checks of `doctor` on AddressPools and on Services of type LoadBalancer."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from duravip_cli.doctor import Finding, Severity
from duravip_cli.manifests.documents import Document
from duravip_cli.manifests.pool_validation import pool_problems
from duravip_cli.objects import Body, condition, metadata_of, name_of, status_of
from duravip_cli.service_rows import service_rows
from duravip_runtime.text import summarize

_IPVS: Final = re.compile(r"""^\s*mode:\s*["']?ipvs\b""", re.MULTILINE)


def check_pools(pools: tuple[Body, ...], topologies: tuple[Body, ...]) -> Iterator[Finding]:
    """Whether every AddressPool can be given out from: its form, overlaps, Topologies, the rest.

    Worked out here, so that it is right before an operator has looked; what is used up is said by
    the statuses.
    """
    oldest = sorted(pools, key=lambda b: (_created(b), name_of(b)))
    documents = [Document("", "AddressPool", body) for body in oldest]
    wrong = [
        Finding("warn" if p.is_warning else "FAIL", "pools", f"{p.object}: {p.message}")
        for p in pool_problems(documents, (), topologies, knows_topologies=True)
    ]
    said = {finding.message.partition(": ")[0].rpartition(" ")[2] for finding in wrong}
    for body in oldest:
        ready = condition(body, "Ready")
        if ready.get("status") == "False" and name_of(body) not in said:
            message = f"{name_of(body)}: {ready.get('reason')}: {ready.get('message')}"
            wrong.append(Finding("warn", "pools", message))
    full = [name_of(body) for body in oldest if _is_full(body)]
    if full:
        wrong.append(Finding("warn", "pools", f"{summarize(full)}: no address is free"))
    yield from wrong
    if pools and not wrong:
        yield Finding("ok", "pools", f"{len(pools)}, each in a Topology, none overlaps another")


def _created(body: Body) -> str:
    return str(metadata_of(body).get("creationTimestamp") or "")


def _is_full(body: Body) -> bool:
    status = status_of(body)
    return any(
        (total := str(status.get(f"total{family}") or "0")) != "0"
        and str(status.get(f"used{family}") or "0") == total
        for family in (4, 6)
    )


def check_services(services: tuple[Body, ...], duravips: tuple[Body, ...]) -> Iterator[Finding]:
    """Whether every Service that is ours has its addresses, and nobody else's."""
    rows = service_rows(services, duravips)
    wrong: dict[tuple[Severity, str], list[str]] = defaultdict(list)
    for row in rows:
        for problem in row.problems:
            verdict: Severity = "warn" if row.addresses else "FAIL"
            wrong[verdict, problem].append(f"{row.namespace}/{row.name}")
    for (verdict, problem), names in wrong.items():
        yield Finding(verdict, "services", f"{summarize(names)}: {problem}")
    if rows and not wrong:
        yield Finding("ok", "services", f"all {len(rows)} have their addresses")


def check_proxy(settings: Body | None) -> Iterator[Finding]:
    """Whether kube-proxy's ConfigMap, as kubeadm makes it, sets a mode that we do not support."""
    data = (settings or {}).get("data") or {}
    if any(_IPVS.search(str(text)) for text in data.values()):
        message = "kube-proxy is in IPVS mode, which is not supported for Services"
        yield Finding("warn", "services", f"{message}: use nftables or iptables")
