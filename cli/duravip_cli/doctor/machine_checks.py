"""What `doctor` makes of the machine that it runs on: what agents need, and what disturbs them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from duravip_cli.doctor.findings import Finding, Verdict, named

OLDEST_KERNEL: Final = (5, 18)
"""The first one that keeps the protocol of an address, which is our mark."""
EVERYWHERE: Final = "all"
"""The kernel's name for a setting of all interfaces; the larger of the two counts."""
SETTINGS: Final = ("arp_ignore", "arp_announce", "rp_filter", "proxy_arp", "proxy_arp_pvlan")
OF_IPVS: Final = "kube-ipvs0"
"""The interface on which kube-proxy, in IPVS mode, has every Service's address."""
_IGNORES_ALL, _NODE_ADDRESS, _STRICT = 8, 2, 1

SAMPLE: Final = """\
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
"""For nft to check against the kernel: all that a fence needs."""


class Fence(NamedTuple):
    """What nft says."""

    version: str
    """Empty: there is no program nft."""
    refusal: str | None = None
    """What the kernel has against a fence; empty: nothing; None: it was not asked."""
    is_there: bool = False
    """Whether an agent's tables are there."""
    is_open: bool = True
    """Whether something keeps them open: without that every address is mute."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What was found on the machine."""

    kernel: str
    interfaces: tuple[str, ...]
    settings: Mapping[tuple[str, str], int]
    """By interface and name of the setting; what cannot be read is left out."""
    fence: Fence
    granted: int = 0
    """How many addresses the node is granted."""
    own: frozenset[str] | None = None
    """The interfaces with an address of the node's own; None: not known."""
    unheard: tuple[str, ...] = ()
    """HOST:PORT of operators where nobody listens."""
    operators: tuple[str, ...] = ()
    """HOST:PORT of all of them."""

    def effective(self, interface: str, setting: str) -> int:
        """What counts on an interface."""
        return max(self.settings.get((name, setting), 0) for name in (EVERYWHERE, interface))


def of_machine(found: Premises, watched: tuple[str, ...]) -> Iterator[Finding]:
    """All checks; `watched` are the interfaces on which addresses may be."""
    yield _kernel(found.kernel)
    yield from _fence(found.fence, found.granted)
    here = [name for name in watched if name in found.interfaces]
    yield from _arp(found, here)
    yield from _kube_proxy(found)
    yield from _ports(found)


def of_clock(ahead: float | None, tolerated: float) -> Finding:
    """Whether this machine's clock and the API server's agree."""
    if ahead is None:
        return Finding("warn", "clock", "not checked: the API server does not tell its time")
    if abs(ahead) <= tolerated:
        return Finding("ok", "clock", "it agrees with the API server's")
    how = "ahead of" if ahead > 0 else "behind"
    said = f"this machine's is {abs(ahead):.0f} s {how} the API server's: ages are wrong by that"
    return Finding("warn", "clock", said)


def _kernel(release: str) -> Finding:
    try:
        version = tuple(int(part) for part in release.partition("-")[0].split(".")[:2])
    except ValueError:
        return Finding("warn", "kernel", f"{release}: not understood")
    if version < OLDEST_KERNEL:
        said = f"{release} is too old: {'.'.join(map(str, OLDEST_KERNEL))} is the first that does"
        return Finding("FAIL", "kernel", said)
    return Finding("ok", "kernel", release)


def _fence(fence: Fence, granted: int) -> Iterator[Finding]:
    if not fence.version:
        said = "not checked: there is no program nft here (the agent's image has its own)"
        yield Finding("warn", "nftables", said)
    elif fence.refusal is None:
        yield Finding("warn", "nftables", f"{fence.version}; not checked: that needs root")
    elif fence.refusal:
        yield Finding("FAIL", "nftables", f"no fence can be built: {fence.refusal}")
    else:
        yield Finding("ok", "nftables", f"{fence.version}; the kernel takes a fence")
        yield _tables(fence, granted)


def _tables(fence: Fence, granted: int) -> Finding:
    if not fence.is_there:
        away = "no agent's tables are there: does one run here, in this network namespace?"
        return Finding("warn", "fence", away)
    if granted and not fence.is_open:
        shut = (
            "nothing keeps it open, so every address of this node is mute: the agent is dead, or "
            "some rule drops or changes its refreshes (UDP to 127.0.0.1:9 on lo)"
        )
        return Finding("FAIL", "fence", shut)
    return Finding("ok", "fence", "the agent's tables are there")


def _arp(found: Premises, here: list[str]) -> Iterator[Finding]:
    wrong: dict[tuple[Verdict, str, str], list[str]] = defaultdict(list)
    for name in here:
        for verdict, check, said in _of_interface(found, name):
            wrong[verdict, check, said].append(name)
    for (verdict, check, said), names in wrong.items():
        yield Finding(verdict, check, f"{named(names)}: {said}")
    if here and not wrong:
        settings = ", ".join(SETTINGS)
        yield Finding("ok", "ARP", f"{settings} are as they should be on {named(here)}")
    elif not here:
        yield Finding("warn", "ARP", "not checked: no interface of a Topology is here")


def _of_interface(found: Premises, name: str) -> Iterator[tuple[Verdict, str, str]]:
    ignore = found.effective(name, "arp_ignore")
    if ignore >= _IGNORES_ALL:
        yield "FAIL", "arp_ignore", f"it is {ignore}: no address there is answered for; set 0"
    elif ignore:
        said = f"it is {ignore}: thousands of addresses are taken more slowly; 0 is best"
        yield "warn", "arp_ignore", said
    announce = found.effective(name, "arp_announce")
    if announce != _NODE_ADDRESS:
        said = f"it is {announce}: the kernel may ask in the name of a moving address; set 2"
        yield "warn", "arp_announce", said
    if found.effective(name, "proxy_arp_pvlan"):
        said = "it is 1: this node answers there for whatever other nodes hold as well; set 0"
        yield "FAIL", "proxy_arp_pvlan", said
    if found.effective(name, "proxy_arp"):
        said = "it is 1: this node answers there for all that its routes lead elsewhere; set 0"
        yield "warn", "proxy_arp", said
    filters = found.effective(name, "rp_filter")
    if filters == _STRICT and found.own is not None and name not in found.own:
        said = "it is 1, on an interface without an address of the node's: clients of another "
        yield "FAIL", "rp_filter", f"{said}network are not answered; set 0 or 2"


def _kube_proxy(found: Premises) -> Iterator[Finding]:
    if OF_IPVS not in found.interfaces:
        yield Finding("ok", "kube-proxy", "not in IPVS mode")
    elif found.settings.get((EVERYWHERE, "arp_ignore")):
        yield Finding("ok", "kube-proxy", "in IPVS mode, with strictARP")
    else:
        said = "in IPVS mode without strictARP: every node answers for what is a Service's as well"
        yield Finding("warn", "kube-proxy", f"{said}; set ipvs.strictARP in its configuration")


def _ports(found: Premises) -> Iterator[Finding]:
    if not found.operators:
        yield Finding("warn", "ports", "not checked: no operator has said where it listens")
    for where in found.unheard:
        yield Finding("FAIL", "ports", f"UDP {where}: no operator listens there, or it is blocked")
    if found.operators and not found.unheard:
        yield Finding("ok", "ports", f"UDP {named(found.operators)}: nothing refuses a beat")
