"""The kernel's links, addresses, neighbours and routes: what is there, what changes, our changes.

What is read, and all changes of addresses, of which there may be thousands, go through packed
messages of our own; default routes and neighbour look-ups through pyroute2.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from duravip_agent.codec import rtnetlink
from duravip_agent.codec.netlink_messages import HEADER_BYTES, kind_of
from duravip_agent.codec.rtnetlink import AddressChange, AnyChange, BroadcastRoute, RouteChange
from duravip_agent.core.kernel_state import IfAddress, KernelState, Link, NeighbourEntry
from duravip_agent.kernel.netlink_socket import KernelRefusalError, NetlinkSocket
from duravip_api import MARK

log = logging.getLogger(__name__)

_EVENTS = 0x1 | 0x10 | 0x100
"""The groups of link, IPv4 address and IPv6 address events."""

_UNREADABLE = (ValueError, LookupError, TypeError, OverflowError, struct.error)
"""What reading a message of an unexpected form raises."""

_CONF, _CONF6 = Path("/proc/sys/net/ipv4/conf"), Path("/proc/sys/net/ipv6/conf")
MAKES_NO_BROADCAST = 31
"""IPv4 masks of this many bits or more have no broadcast address (RFC 3021)."""

ADDRESSES_AT_ONCE, ROUTES_AT_ONCE = 64, 512
"""Changes in one system call. More addresses would keep a core for tens of milliseconds; a route
takes the kernel microseconds."""

_NTF_USE = 0x01
_GONE = {errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO}
_SIOCETHTOOL, _ETHTOOL_GSET = 0x8946, 0x1
_UNKNOWN_SPEEDS = {0, 0xFFFFFFFF, 0xFFFF}


class Netlink:
    """The network of the namespace that the process lives in. For one thread."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket()
        self._ip = IPRoute()
        self._ioctl = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._links: tuple[Link, ...] | None = None
        self._unread: tuple[str, ...] = ()
        self._known_settings: dict[str, tuple[int, bool]] = {}
        self._with_own: set[int] = set()
        """The links on which the node has an IPv4 address of its own."""

    def can_change_addresses(self) -> bool:
        """Whether the process has the permission to change addresses (CAP_NET_ADMIN)."""
        nowhere = IfAddress(0x7FFFFFFF, "192.0.2.1", 32, is_marked=True)
        return self._change([AddressChange(nowhere, is_new=False)]).get(nowhere) != errno.EPERM

    def read_state(self, *, with_links: bool) -> KernelState:
        """What is there now; the links are read again only when that is asked for."""
        aliases, strange = self._read_addresses()
        if with_links or self._links is None:
            self._links, self._unread = self._read_links({alias.link for alias in aliases})
        if with_links:  # one that was down has got its routes back
            self._delete_broadcast_routes(alias for alias in aliases if alias.is_marked)
        self._with_own = {
            alias.link for alias in aliases if not alias.is_marked and ":" not in alias.address
        }
        return KernelState(self._links, aliases, (*self._unread, *strange))

    def settings_changed(self) -> bool:
        """Whether an interface is set otherwise than at the last look: no event tells of that."""
        return any(_settings(name) != value for name, value in self._known_settings.items())

    def _delete_broadcast_routes(self, aliases: Iterable[IfAddress]) -> None:
        """Delete the routes that the kernel makes of masks that are not the full one."""
        wide = [a for a in aliases if ":" not in a.address and a.mask < MAKES_NO_BROADCAST]
        self._change([BroadcastRoute(alias) for alias in wide])

    def _read_addresses(self) -> tuple[tuple[IfAddress, ...], tuple[str, ...]]:
        """All addresses, and what could not be read."""
        addresses: list[IfAddress] = []
        unread: list[str] = []
        for body in self._dump(rtnetlink.GET_ADDRESS):
            try:
                alias = rtnetlink.address_in(body)
            except _UNREADABLE as error:
                unread.append(f"an address: {error!r}")
                continue
            if alias:
                addresses.append(alias)
        return tuple(addresses), tuple(unread)

    def _read_links(self, with_addresses: set[int]) -> tuple[tuple[Link, ...], tuple[str, ...]]:
        """All links, and what could not be read: one that is strange costs itself only."""
        links: list[tuple[Link, tuple[int, int]]] = []
        unread: list[str] = []
        for body in self._socket.dump(rtnetlink.links_request):
            link = rtnetlink.link_in(body)
            if link is None:
                unread.append(f"an interface: {body[:16].hex()}")
                continue
            link = replace(link, speed_mbps=self._speed(link.name))
            links.append((link, rtnetlink.relations_in(body)))
        read = rtnetlink.related(links)
        self._known_settings = {
            link.name: _settings(link.name)
            for link in read
            if not link.is_loopback and (link.kind != "veth" or link.index in with_addresses)
        }
        return tuple(map(self._with_settings, read)), tuple(unread)

    def _with_settings(self, link: Link) -> Link:
        if link.name not in self._known_settings:
            return link
        arp_ignore, has_no_ipv6 = self._known_settings[link.name]
        return replace(link, arp_ignore=arp_ignore, has_no_ipv6=has_no_ipv6)

    def add(self, aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        """Add addresses; gives back those that were refused, each with what the kernel said."""
        refused = self._change(
            [
                AddressChange(alias, is_new=True, is_hidden=alias.link not in self._with_own)
                for alias in aliases
            ]
        )
        self._delete_broadcast_routes(alias for alias in aliases if alias not in refused)
        return {
            alias: f"cannot add the address: {os.strerror(number)}"
            for alias, number in refused.items()
        }

    def restore_mark(self, aliases: Sequence[IfAddress]) -> set[IfAddress]:
        """Give these, which are there, our mark and flags; gives back those that were refused."""
        changes = [
            AddressChange(alias, True, alias.link not in self._with_own, is_again=True)  # noqa: FBT003
            for alias in aliases
        ]
        return set(self._change(changes))

    def delete(self, aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        """Delete addresses; one that is gone already is no refusal.

        Only those that were just read with our mark may be given.
        """
        refused = self._change([AddressChange(alias, is_new=False) for alias in aliases])
        return {
            alias: f"cannot delete the address: {os.strerror(number)}"
            for alias, number in refused.items()
            if number not in _GONE
        }

    def add_routes(self, aliases: Sequence[IfAddress]) -> set[IfAddress]:
        """Let these be answered for before they are added; gives back those that were refused."""
        changes = [RouteChange(alias, is_new=True) for alias in aliases]
        refused = self._change(changes)
        return {alias for alias, number in refused.items() if number != errno.EEXIST}

    def delete_routes(self, aliases: Sequence[IfAddress]) -> None:
        """Undo it; the aliases, and the kernel's own routes to them, stay."""
        self._change([RouteChange(alias, is_new=False) for alias in aliases])

    def answers_arp_for_routes(self, interface: str) -> bool:
        """Whether a route is enough for the kernel to answer ARP there."""
        return _arp_ignore(interface) == 0

    def delete_all_routes(self) -> None:
        """Undo what an earlier agent has left of it, as far as the routes can be read."""
        try:
            self._ip.flush_routes(table=rtnetlink.LOCAL_TABLE, proto=MARK)
        except Exception:
            log.exception("cannot look for routes that an earlier agent may have left")

    def neighbours(self) -> list[NeighbourEntry]:
        """The whole table of neighbours."""
        entries = map(rtnetlink.neighbour_in, self._dump(rtnetlink.GET_NEIGHBOUR))
        return [host for host in entries if host]

    def gateways(self, link: int) -> set[str]:
        """The routers that the default routes over a link lead to."""
        routers: set[str] = set()
        for route in self._ip.get_default_routes(table=rtnetlink.MAIN_TABLE):
            if route.get("RTA_OIF") == link and route.get("RTA_GATEWAY"):
                routers.add(str(route.get("RTA_GATEWAY")))
            for hop in route.get("RTA_MULTIPATH") or ():
                if hop["oif"] == link and hop.get("RTA_GATEWAY"):
                    routers.add(str(hop.get("RTA_GATEWAY")))
        return routers

    def resolve_neighbour(self, link: int, address: str) -> None:
        """Let the kernel ask for a host's MAC, for the next time that it is needed."""
        try:
            self._ip.neigh("replace", dst=address, ifindex=link, flags=_NTF_USE, state=0)
        except NetlinkError as error:
            log.debug("cannot look up the neighbour %s: %s", address, error)

    def _dump(self, kind: int) -> list[bytes]:
        """The bodies of all objects of a kind."""
        return self._socket.dump(partial(rtnetlink.dump_request, kind))

    def _change(self, changes: Sequence[AnyChange]) -> dict[IfAddress, int]:
        """Make changes of one kind; gives back those that were refused, each with its errno."""
        is_route = bool(changes) and isinstance(changes[0], RouteChange)
        batch = ROUTES_AT_ONCE if is_route else ADDRESSES_AT_ONCE
        refused = self._socket.change(changes, rtnetlink.any_request, batch)
        return {change.alias: number for change, number in refused.items()}

    def _speed(self, name: str) -> int | None:
        """What ethtool says: /sys may show another namespace's devices."""
        command = array.array("B", struct.pack("=II36x", _ETHTOOL_GSET, 0))
        request = struct.pack("@16sP16x", os.fsencode(name), command.buffer_info()[0])
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


def _settings(interface: str) -> tuple[int, bool]:
    """The arp_ignore that is in force on an interface, and whether it is without IPv6."""
    return _arp_ignore(interface), _number(_CONF6 / interface / "disable_ipv6", 1) != 0


def _arp_ignore(interface: str) -> int:
    return max(_number(_CONF / name / "arp_ignore", 0) for name in ("all", interface))


def _number(path: Path, default: int) -> int:
    """A setting; of one that is not there, or cannot be read, the default."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return default


EVENT_PAUSE_S = 0.01
"""Pause after each call, in seconds. While hundreds of addresses are added, a thread that woke up
for each of their events would hold up the one that adds them for tens of milliseconds."""


def watch(on_change: Callable[[bool], None]) -> None:
    """Call back, from a thread, after each change; with True when links changed as well."""
    sock = NetlinkSocket(groups=_EVENTS, timeout=None)
    Thread(target=_listen, args=(sock, on_change), name="netlink", daemon=True).start()


def _listen(sock: NetlinkSocket, on_change: Callable[[bool], None]) -> None:
    while True:
        try:
            kinds = set(_kinds(sock))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("cannot hear the kernel's events, listening anew: %s", error)
                time.sleep(1.0)
                sock.renew()
            on_change(True)  # events were lost: look at everything  # noqa: FBT003
            continue
        on_change(not kinds.isdisjoint({rtnetlink.NEW_LINK, rtnetlink.DEL_LINK}))
        time.sleep(EVENT_PAUSE_S)


def _kinds(sock: NetlinkSocket) -> Iterator[int]:
    """What all events are about that have come; waits for the first one."""
    yield kind_of(sock.head_of_next(HEADER_BYTES))
    with contextlib.suppress(BlockingIOError):
        while True:
            yield kind_of(sock.head_of_next(HEADER_BYTES, socket.MSG_DONTWAIT))


NEXT_HOPS_EVERY_S: Final = 25.0
"""The agent looks at everything every 30 s; in between what was found last is good enough."""

MAX_ROUTES_BYTES: Final = 1 << 16
"""Bytes of a table: some 1000 routes, the most general ones first. A router may have a million."""

ROUTES_TIMEOUT_S: Final = 1.0
"""The kernel answers at once."""

_NO_ROUTES = {errno.ENOENT, errno.EOPNOTSUPP}
"""There is no such table, or the kernel has no such family or objects."""


def read_next_hops() -> tuple[str, ...]:
    """The next hops of the node's routes now. Raises OSError when the kernel does not say."""
    routes: dict[bytes, None] = {}
    for family in (rtnetlink.INET, rtnetlink.INET6):
        # The most important table first.
        for table in (rtnetlink.MAIN_TABLE, rtnetlink.ALL_TABLES):
            request = partial(rtnetlink.routes_request, family, table)
            routes |= dict.fromkeys(_first_of(request))
    is_unresolved = rtnetlink.has_unresolved(routes)
    objects = _first_of(rtnetlink.objects_request) if is_unresolved else []
    return rtnetlink.next_hops(routes, objects)


class NextHops:
    """The next hops: read when a status is made, and seldom. For one thread."""

    def __init__(self, read: Callable[[], tuple[str, ...]] = read_next_hops) -> None:
        self._read = read
        self._current: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._is_troubled = False

    def current(self, now: float) -> tuple[str, ...]:
        """The next hops, as they were read not long ago."""
        if now - self._read_at >= NEXT_HOPS_EVERY_S:
            self._read_at = now
            try:
                self._current = self._read()
                self._is_troubled = False
            except OSError as error:
                if not self._is_troubled:
                    log.warning("cannot read the node's routes: %s", error)
                self._is_troubled = True
        return self._current


def _first_of(request: Callable[[int], bytes]) -> list[bytes]:
    """The first objects of a list. The rest is left to the kernel, which forgets it."""
    bodies: list[bytes] = []
    size = 0
    with NetlinkSocket(timeout=ROUTES_TIMEOUT_S, is_strict=True) as kernel:
        try:
            for body in kernel.stream(request):
                bodies.append(body)
                size += len(body)
                if size >= MAX_ROUTES_BYTES:
                    break
        except KernelRefusalError as error:
            if error.errno not in _NO_ROUTES:
                raise
    return bodies
