"""The checks of `doctor` on this machine: what an agent needs, and what disturbs it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from duravip_cli.doctor import Finding, Severity
from duravip_runtime.text import summarize

OLDEST_KERNEL: Final = (5, 18)
"""The first one that keeps the protocol of an address, which is our mark."""
ALL_INTERFACES: Final = "all"
"""The kernel's name for a setting of all interfaces; the larger of the two counts."""
SYSCTLS: Final = ("arp_ignore", "arp_announce", "rp_filter", "proxy_arp", "proxy_arp_pvlan")
IPVS_INTERFACE: Final = "kube-ipvs0"
"""The interface on which kube-proxy, in IPVS mode, has every Service's address."""
_IGNORES_ALL, _NODE_ADDRESS, _STRICT = 8, 2, 1

SAMPLE_RULESET: Final = """\
table netdev duravip_check {
  set vips { type ipv4_addr; size 65535; }
  chain out { type filter hook egress device "lo" priority 0; policy accept; arp saddr ip @vips drop; }
}
table inet duravip_check {
  set vips { type ipv4_addr; size 65535; }
  set alive { type mark; size 65535; flags dynamic,timeout; }
  chain refresh {
    type filter hook output priority -400; policy accept;
    meta mark 0x1 oifname "lo" notrack update @alive { meta mark & 0 timeout 500ms }
  }
  chain incoming {
    type filter hook prerouting priority -310; policy accept;
    ip daddr @vips fib daddr type local drop
  }
}
"""  # noqa: E501 - a rule is one line
"""A ruleset with every feature that the fence needs, for `nft --check`."""


class FenceState(NamedTuple):
    """The state of nftables, and of the agent's fence."""

    version: str
    """Empty: there is no program nft."""
    refusal: str | None = None
    """The kernel's refusal of a fence; empty: it takes one; None: not checked."""
    is_present: bool = False
    """Whether the agent's tables exist."""
    is_open: bool = True
    """Whether the watchdog refreshes them: otherwise every address is mute."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """The state of the machine."""

    kernel: str
    interfaces: tuple[str, ...]
    settings: Mapping[tuple[str, str], int]
    """`{(interface, sysctl): value}`; those that cannot be read are left out."""
    fence: FenceState
    granted: int = 0
    """The number of addresses granted to the node."""
    own_interfaces: frozenset[str] | None = None
    """The interfaces that have an address of the node; None: unknown."""
    refusing_operators: tuple[str, ...] = ()
    """HOST:PORT of operators that refuse a datagram."""
    operators: tuple[str, ...] = ()
    """HOST:PORT of all operators."""

    def effective(self, interface: str, setting: str) -> int:
        """The value in force on an interface."""
        return max(self.settings.get((name, setting), 0) for name in (ALL_INTERFACES, interface))


def check_machine(state: MachineState, watched: tuple[str, ...]) -> Iterator[Finding]:
    """All checks; `watched` are the interfaces of the Topologies."""
    yield _check_kernel(state.kernel)
    yield from _check_fence(state.fence, state.granted)
    here = [name for name in watched if name in state.interfaces]
    yield from _check_interfaces(state, here)
    yield from _check_kube_proxy(state)
    yield from _check_ports(state)


def check_clock(ahead: float | None, tolerated: float) -> Finding:
    """Whether this machine's clock and the API server's agree."""
    if ahead is None:
        return Finding("warn", "clock", "not checked: the API server does not tell its time")
    if abs(ahead) <= tolerated:
        return Finding("ok", "clock", "it agrees with the API server's")
    how = "ahead of" if ahead > 0 else "behind"
    message = (
        f"this machine's is {abs(ahead):.0f} s {how} the API server's: ages are wrong by that"
    )
    return Finding("warn", "clock", message)


def _check_kernel(release: str) -> Finding:
    try:
        version = tuple(int(part) for part in release.partition("-")[0].split(".")[:2])
    except ValueError:
        return Finding("warn", "kernel", f"{release}: not understood")
    if version < OLDEST_KERNEL:
        message = (
            f"{release} is too old: {'.'.join(map(str, OLDEST_KERNEL))} is the first that does"
        )
        return Finding("FAIL", "kernel", message)
    return Finding("ok", "kernel", release)


def _check_fence(fence: FenceState, granted: int) -> Iterator[Finding]:
    if not fence.version:
        message = "not checked: there is no program nft here (the agent's image has its own)"
        yield Finding("warn", "nftables", message)
    elif fence.refusal is None:
        yield Finding("warn", "nftables", f"{fence.version}; not checked: that needs root")
    elif fence.refusal:
        yield Finding("FAIL", "nftables", f"no fence can be built: {fence.refusal}")
    else:
        yield Finding("ok", "nftables", f"{fence.version}; the kernel takes a fence")
        yield _check_tables(fence, granted)


def _check_tables(fence: FenceState, granted: int) -> Finding:
    if not fence.is_present:
        away = "no agent's tables are there: does one run here, in this network namespace?"
        return Finding("warn", "fence", away)
    if granted and not fence.is_open:
        shut = (
            "nothing keeps it open, so every address of this node is mute: the agent is dead, or "
            "some rule drops or changes its refreshes (UDP to 127.0.0.1:9 on lo)"
        )
        return Finding("FAIL", "fence", shut)
    return Finding("ok", "fence", "the agent's tables are there")


def _check_interfaces(state: MachineState, interfaces: list[str]) -> Iterator[Finding]:
    wrong: dict[tuple[Severity, str, str], list[str]] = defaultdict(list)
    for name in interfaces:
        for verdict, check, message in _check_interface(state, name):
            wrong[verdict, check, message].append(name)
    for (verdict, check, message), names in wrong.items():
        yield Finding(verdict, check, f"{summarize(names)}: {message}")
    if interfaces and not wrong:
        settings = ", ".join(SYSCTLS)
        yield Finding("ok", "ARP", f"{settings} are as they should be on {summarize(interfaces)}")
    elif not interfaces:
        yield Finding("warn", "ARP", "not checked: no interface of a Topology is here")


def _check_interface(state: MachineState, name: str) -> Iterator[tuple[Severity, str, str]]:
    ignore = state.effective(name, "arp_ignore")
    if ignore >= _IGNORES_ALL:
        yield "FAIL", "arp_ignore", f"it is {ignore}: no address there is answered for; set 0"
    elif ignore:
        message = f"it is {ignore}: thousands of addresses are taken more slowly; 0 is best"
        yield "warn", "arp_ignore", message
    announce = state.effective(name, "arp_announce")
    if announce != _NODE_ADDRESS:
        message = f"it is {announce}: the kernel may ask in the name of a moving address; set 2"
        yield "warn", "arp_announce", message
    if state.effective(name, "proxy_arp_pvlan"):
        message = "it is 1: this node answers there for whatever other nodes hold as well; set 0"
        yield "FAIL", "proxy_arp_pvlan", message
    if state.effective(name, "proxy_arp"):
        message = "it is 1: this node answers there for all that its routes lead elsewhere; set 0"
        yield "warn", "proxy_arp", message
    filters = state.effective(name, "rp_filter")
    if (
        filters == _STRICT
        and state.own_interfaces is not None
        and name not in state.own_interfaces
    ):
        message = "it is 1, on an interface without an address of the node's: clients of another "
        yield "FAIL", "rp_filter", f"{message}network are not answered; set 0 or 2"


def _check_kube_proxy(state: MachineState) -> Iterator[Finding]:
    if IPVS_INTERFACE not in state.interfaces:
        yield Finding("ok", "kube-proxy", "not in IPVS mode")
    elif state.settings.get((ALL_INTERFACES, "arp_ignore")):
        message = "in IPVS mode, with strictARP; Services of type LoadBalancer are not supported"
        yield Finding("warn", "kube-proxy", f"{message} in this mode")
    else:
        message = (
            "in IPVS mode without strictARP: every node answers for what is a Service's as well"
        )
        yield Finding("warn", "kube-proxy", f"{message}; set ipvs.strictARP in its configuration")


def _check_ports(state: MachineState) -> Iterator[Finding]:
    if not state.operators:
        yield Finding("warn", "ports", "not checked: no operator has said where it listens")
    for where in state.refusing_operators:
        yield Finding("FAIL", "ports", f"UDP {where}: no operator listens there, or it is blocked")
    if state.operators and not state.refusing_operators:
        yield Finding("ok", "ports", f"UDP {summarize(state.operators)}: nothing refuses a beat")
