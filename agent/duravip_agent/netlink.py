"""The kernel's links, addresses and neighbours: what is there, what changes, and our changes.

Links, routes and neighbour look-ups go through pyroute2; addresses, of which there may be
thousands, through packed messages of our own.
"""

import array
import contextlib
import errno
import fcntl
import logging
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from duravip_agent.core import messages
from duravip_agent.core.messages import Change, Host, RouteChange
from duravip_agent.core.observed import Alias, Link, Observed
from duravip_agent.core.pacing import Neighbour
from duravip_agent.packed import Packed, opened
from duravip_api import MARK

log = logging.getLogger(__name__)

_IFF_UP, _IFF_LOOPBACK, _IFF_NOARP = 0x1, 0x8, 0x80
_EVENTS = 0x1 | 0x10 | 0x100
"""The groups of link, IPv4 address and IPv6 address events."""

_CONF = Path("/proc/sys/net/ipv4/conf")
_MAIN_TABLE = 254
_NTF_USE = 0x01
_VRF = "vrf"
"""Its ports keep their addresses; those of bridges, bonds and teams give them up."""
_GONE = {errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO}
_SIOCETHTOOL, _ETHTOOL_GSET = 0x8946, 0x1
_UNKNOWN_SPEEDS = {0, 0xFFFFFFFF, 0xFFFF}


class Kernel:
    """The network of the namespace that the process lives in. For one thread."""

    def __init__(self) -> None:
        self._packed = Packed()
        self._ip = IPRoute()
        self._ioctl = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._links: tuple[Link, ...] | None = None
        self._with_own: set[int] = set()
        """The links on which the node has an IPv4 address of its own."""

    def may_change(self) -> bool:
        """Whether the process has the permission to change addresses (CAP_NET_ADMIN)."""
        nowhere = Alias(0x7FFFFFFF, "192.0.2.1", 32, is_marked=True)
        return self._packed.change([Change(nowhere, is_new=False)]).get(nowhere) != errno.EPERM

    def observed(self, *, with_links: bool) -> Observed:
        """What is there now; the links are read again only when that is asked for."""
        if with_links or self._links is None:
            self._links = tuple(map(self._link, self._ip.get_links()))
        bodies = self._packed.dump(messages.GET_ADDRESS)
        found = (messages.alias_in(body) for body in bodies)
        aliases = tuple(alias for alias in found if alias)
        self._with_own = {
            alias.link for alias in aliases if not alias.is_marked and ":" not in alias.address
        }
        return Observed(self._links, aliases)

    def add(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        """Add addresses; gives back those that were refused, each with what the kernel said."""
        refused = self._packed.change(
            [
                Change(alias, is_new=True, is_hidden=alias.link not in self._with_own)
                for alias in aliases
            ]
        )
        return {
            alias: f"cannot add the address: {os.strerror(number)}"
            for alias, number in refused.items()
        }

    def delete(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        """Delete addresses; one that is gone already is no refusal.

        Only those that a look just before has found with our mark may be given.
        """
        refused = self._packed.change([Change(alias, is_new=False) for alias in aliases])
        return {
            alias: f"cannot delete the address: {os.strerror(number)}"
            for alias, number in refused.items()
            if number not in _GONE
        }

    def add_routes(self, aliases: Sequence[Alias]) -> set[Alias]:
        """Let these be answered for before they are added; gives back those that were refused."""
        changes = [RouteChange(alias, is_new=True) for alias in aliases]
        refused = self._packed.change(changes)
        return {alias for alias, number in refused.items() if number != errno.EEXIST}

    def delete_routes(self, aliases: Sequence[Alias]) -> None:
        """Undo it; the aliases, and the kernel's own routes to them, stay."""
        self._packed.change([RouteChange(alias, is_new=False) for alias in aliases])

    def answers_for_routes(self, interface: str) -> bool:
        """Whether a route is enough for the kernel to answer ARP there."""
        try:
            told = [(_CONF / name / "arp_ignore").read_text() for name in ("all", interface)]
        except OSError:
            return False
        return all(int(text) == 0 for text in told)

    def delete_all_routes(self) -> None:
        """Undo what an earlier agent has left of it."""
        self._ip.flush_routes(table=messages.LOCAL_TABLE, proto=MARK)

    def neighbours(self, link: int) -> list[Neighbour]:
        """The hosts on a link whose MAC the kernel knows."""
        bodies = self._packed.dump(messages.GET_NEIGHBOUR)
        found = (messages.neighbour_in(body, link) for body in bodies)
        return [neighbour for neighbour in found if neighbour]

    def hosts(self) -> list[Host]:
        """The whole table of neighbours."""
        found = map(messages.host_in, self._packed.dump(messages.GET_NEIGHBOUR))
        return [host for host in found if host]

    def gateways(self, link: int) -> set[str]:
        """The routers that the default routes over a link lead to."""
        found: set[str] = set()
        for route in self._ip.get_default_routes(table=_MAIN_TABLE):
            if route.get("RTA_OIF") == link and route.get("RTA_GATEWAY"):
                found.add(str(route.get("RTA_GATEWAY")))
            for hop in route.get("RTA_MULTIPATH") or ():
                if hop["oif"] == link and hop.get("RTA_GATEWAY"):
                    found.add(str(hop.get("RTA_GATEWAY")))
        return found

    def look_up(self, link: int, address: str) -> None:
        """Let the kernel ask for a host's MAC, for the next time that it is needed."""
        try:
            self._ip.neigh("replace", dst=address, ifindex=link, flags=_NTF_USE, state=0)
        except NetlinkError as error:
            log.debug("cannot look up the neighbour %s: %s", address, error)

    def _link(self, found: Any) -> Link:
        info = found.get("IFLA_LINKINFO")
        name = found.get("IFLA_IFNAME")

        def detail(key: str) -> str:
            return (info.get(key) if info else None) or ""

        return Link(
            index=found["index"],
            name=name,
            mac=found.get("IFLA_ADDRESS") or "",
            mtu=found.get("IFLA_MTU") or 0,
            is_up=bool(found["flags"] & _IFF_UP),
            has_carrier=bool(found.get("IFLA_CARRIER")),
            speed_mbps=self._speed(name),
            kind=detail("IFLA_INFO_KIND"),
            is_loopback=bool(found["flags"] & _IFF_LOOPBACK),
            has_no_arp=bool(found["flags"] & _IFF_NOARP),
            is_port=detail("IFLA_INFO_SLAVE_KIND") not in {"", _VRF},
        )

    def _speed(self, name: str) -> int | None:
        """What ethtool says: /sys may show another namespace's devices."""
        command = array.array("B", struct.pack("=II36x", _ETHTOOL_GSET, 0))
        request = struct.pack("@16sP16x", name.encode(), command.buffer_info()[0])
        try:
            fcntl.ioctl(self._ioctl, _SIOCETHTOOL, request)
        except OSError:
            return None
        low, high = (
            struct.unpack_from("=H", command, 12)[0],
            struct.unpack_from("=H", command, 28)[0],
        )
        speed: int = high << 16 | low
        return None if speed in _UNKNOWN_SPEEDS else speed


GATHERED_FOR = 0.01
"""Pause after each call, in seconds. While hundreds of addresses are added, a thread that woke up
for each of their events would hold up the one that adds them for tens of milliseconds."""


def watch(on_change: Callable[[bool], None]) -> None:
    """Call back, from a thread, after each change; with True when links changed as well."""
    sock = opened(_EVENTS)
    Thread(target=_listen, args=(sock, on_change), name="netlink", daemon=True).start()


def _listen(sock: socket.socket, on_change: Callable[[bool], None]) -> None:
    while True:
        try:
            kinds = set(_kinds(sock))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("cannot hear the kernel's events, listening anew: %s", error)
                time.sleep(1.0)
                sock = opened(_EVENTS)
            on_change(True)  # events were lost: look at everything  # noqa: FBT003
            continue
        on_change(not kinds.isdisjoint({messages.NEW_LINK, messages.DEL_LINK}))
        time.sleep(GATHERED_FOR)


def _kinds(sock: socket.socket) -> Iterator[int]:
    """What all events are about that have come; waits for the first one."""
    yield messages.kind_of(sock.recv(messages.HEADER_BYTES))
    with contextlib.suppress(BlockingIOError):
        while True:
            yield messages.kind_of(sock.recv(messages.HEADER_BYTES, socket.MSG_DONTWAIT))
