"""Where checks are made: the lines of a NodePlumbing, turned into probes of own addresses.

A check is of the node's own address on an interface, never of a virtual one, which is not there
before the node is found fit for it. Of several own addresses the first is taken; a link-local
one only under IPv6, where there is no other.
"""

from collections.abc import Mapping

from duravip_agent.core.checks import Probe
from duravip_agent.core.kernel_state import KernelState
from duravip_api.addresses import parse_address
from duravip_api.checks import NodeCheck


def probes(checks: Mapping[str, NodeCheck], observed: KernelState) -> tuple[Probe, ...]:
    """One probe for each check, by line, whose address the node has."""
    targets = own_targets(observed) if checks else {}
    return tuple(
        _probe(line, check, target)
        for line, check in checks.items()
        if (target := targets.get((check.interface, check.version)))
    )


def own_targets(observed: KernelState) -> dict[tuple[str, int], str]:
    """`{(interface, IP version): own address}`."""
    names = {link.index: link.name for link in observed.links}
    best: dict[tuple[str, int], tuple[bool, str]] = {}
    for alias in observed.aliases:
        name = names.get(alias.link)
        if alias.is_marked or name is None:
            continue
        address = parse_address(alias.address)
        if address.is_link_local and address.version == 4:  # noqa: PLR2004 - IPv4
            continue
        key = (name, address.version)
        target = f"{alias.address}%{name}" if address.is_link_local else alias.address
        if key not in best or (best[key][0] and not address.is_link_local):
            best[key] = (address.is_link_local, target)
    return {key: target for key, (_, target) in best.items()}


def _probe(line: str, check: NodeCheck, target: str) -> Probe:
    return Probe(
        line,
        target,
        check.scheme,
        check.port,
        check.interval_ms / 1000,
        check.timeout_ms / 1000,
        check.fall,
        check.rise,
        check.statuses,
        check.host,
        check.path,
    )
