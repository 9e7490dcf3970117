"""The network of a lab: a namespace that holds its bridges, and the cables to the machines.

Each card of a machine is one end of a cable; the other end is a port of a bridge in the switch
namespace. Pulling a cable takes the machine's carrier. Cutting a path does not: the port just
leaves its bridge, as when a switch farther away has failed, and the machine sees nothing of it.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence

from lab.errors import LabError
from lab.layout import CONTROL, GATEWAY, MTU, OTHER_HALF, SECOND, SEGMENT, SWITCH, Layout, Nic, mac
from lab.processes import run

BRIDGE = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
SWITCH_SETTINGS = """
for f in iptables ip6tables arptables; do
  s=/proc/sys/net/bridge/bridge-nf-call-$f; [ ! -e $s ] || echo 0 > $s
done
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
"""
MACHINE_SETTINGS = """
cd /proc/sys/net
echo 1 > ipv4/ip_forward
for c in all default; do
  echo 0 > ipv4/conf/$c/rp_filter
  echo 0 > ipv6/conf/$c/accept_dad
  echo 0 > ipv6/conf/$c/router_solicitations
done
"""


class Network:
    """The bridges of a lab, and the cables plugged into them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def create(self) -> None:
        """Make the switch namespace and its bridges."""
        run(["ip", "netns", "add", self._layout.namespace(SWITCH)])
        self._shell(SWITCH, SWITCH_SETTINGS)
        bridges = (CONTROL, SEGMENT, OTHER_HALF, SECOND)
        self._ip(SWITCH, [f"link add {name} mtu {MTU} {BRIDGE}" for name in bridges])
        self._ip(SWITCH, [f"link set {name} up" for name in ("lo", *bridges)])

    def plug(self, machine: str, nics: Sequence[Nic]) -> None:
        """Make a machine's network namespace and its cards, each with a cable to its bridge."""
        namespace = self._layout.namespace(machine)
        run(["ip", "netns", "add", namespace])
        self._shell(machine, MACHINE_SETTINGS)
        self._ip(SWITCH, [line for nic in nics for line in _cable(machine, nic, namespace)])
        self._ip(machine, ["link set lo up", *(line for nic in nics for line in _card(nic))])

    def unplug(self, machine: str, nics: Sequence[Nic]) -> None:
        """Remove all that `plug` made.

        The ports first: a deleted namespace gives its cards back some time later, and until then
        their names are taken.
        """
        for nic in nics:
            with contextlib.suppress(LabError):
                self._ip(SWITCH, [f"link del {_port(machine, nic.name)}"])
        with contextlib.suppress(LabError):
            run(["ip", "netns", "del", self._layout.namespace(machine)])

    def cable(self, machine: str, nic: str, *, up: bool) -> float:
        """Plug a cable in or out; gives the time.monotonic() at which it was."""
        self._ip(SWITCH, [f"link set {_port(machine, nic)} {'up' if up else 'down'}"])
        return time.monotonic()

    def cut(self, machine: str, nics: Iterable[Nic]) -> float:
        """Let nothing pass on these cards' cables, in a way that the machine cannot see."""
        self._ip(SWITCH, [f"link set {_port(machine, nic.name)} nomaster" for nic in nics])
        return time.monotonic()

    def mend(self, machine: str, nics: Iterable[Nic]) -> float:
        """Undo a cut, or a split."""
        ports = [f"link set {_port(machine, nic.name)} master {nic.bridge}" for nic in nics]
        self._ip(SWITCH, ports)
        return time.monotonic()

    def split(self, machines: Iterable[str], nic: str) -> float:
        """Move these machines' cards to a segment of their own; `mend` brings them back."""
        ports = [f"link set {_port(machine, nic)} master {OTHER_HALF}" for machine in machines]
        self._ip(SWITCH, ports)
        return time.monotonic()

    def _ip(self, machine: str, lines: Sequence[str]) -> None:
        batch = "".join(f"{line}\n" for line in lines)
        run(["ip", "-n", self._layout.namespace(machine), "-batch", "-"], batch)

    def _shell(self, machine: str, script: str) -> None:
        run(["nsenter", f"--net={self._layout.namespace_file(machine)}", "sh", "-ec", script])


def _port(machine: str, nic: str) -> str:
    return f"{machine}-{nic}"


def _cable(machine: str, nic: Nic, namespace: str) -> list[str]:
    port = _port(machine, nic.name)
    peer = f"peer name {nic.name} address {mac(machine, nic.name)} netns {namespace} mtu {MTU}"
    return [
        f"link add {port} mtu {MTU} type veth {peer}",
        f"link set {port} master {nic.bridge} up",
    ]


def _card(nic: Nic) -> list[str]:
    lines = [f"addr add {address} dev {nic.name}" for address in nic.addresses]
    lines.append(f"link set {nic.name} up")
    if nic.bridge == CONTROL:
        lines.append(f"route add default via {GATEWAY}")
    return lines
