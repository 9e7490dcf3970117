"""Announces what is served, by gratuitous ARP and unsolicited neighbour advertisements.

`core/announce_schedule` decides which addresses when, `core/send_queue` how fast.
"""

import logging
from collections.abc import Mapping

from duravip_agent.codec.frames import announcement_frame, mac_bytes
from duravip_agent.core.announce_schedule import AnnouncementBatch, AnnounceSchedule
from duravip_agent.core.kernel_state import Link, NeighbourEntry
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import SendQueue
from duravip_agent.kernel.address_manager import format_addresses
from duravip_agent.kernel.netlink import Netlink
from duravip_agent.metrics import Metrics
from duravip_agent.segment.raw_socket import FrameSender

log = logging.getLogger(__name__)

ETHERNET_MAC_BYTES = 6
"""Ethernet's. On other links nothing needs to be announced."""


class Announcer:
    """Sends what is due, each time that it is called. For the loop's thread."""

    def __init__(
        self, kernel: Netlink, sender: FrameSender, every: float, metrics: Metrics
    ) -> None:
        self._kernel, self._sender, self._metrics = kernel, sender, metrics
        self._links: dict[str, Link] = {}
        self._schedule = AnnounceSchedule(every)
        self._queue = SendQueue()
        self._unlogged: dict[str, list[str]] = {}
        """By interface, what is announced for the first time and not yet in the log."""

    def links_changed(self, links: tuple[Link, ...], now: float) -> None:
        """Take note of the links; where a cable is back or a MAC is new, begin anew."""
        before, self._links = self._links, {link.name: link for link in links}
        self._sender.keep_only(link.index for link in links)
        for name, link in self._links.items():
            if name in before and _speaker(link) and _speaker(before[name]) != _speaker(link):
                self._schedule.restart(name, now)

    def set_served(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        """Exactly this is served."""
        self._schedule.set_served(served, now)

    def announce_new(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        """This is served as well: tell everybody at once, of all of it."""
        for placement, addresses in served.items():
            self._schedule.add(placement, addresses, now)
        self.announce(now)
        while any(map(self._queue.has_first_pending, self._links)):
            self._send(now)
        self._log_announced()

    def defend(self, addresses: frozenset[str], now: float) -> None:
        """Say at once that these are ours."""
        self._schedule.defend(addresses)
        self.announce(now)

    def announce_again(self, addresses: frozenset[str], now: float) -> None:
        """Announce these as if they were new, on command."""
        self._schedule.announce_again(addresses, now)
        self.announce(now)

    def next_due(self, now: float) -> float:
        """When `announce` has something to do."""
        times = (self._schedule.next_due(), self._queue.next_due(now))
        return min((time for time in times if time is not None), default=float("inf"))

    def announce(self, now: float) -> None:
        """Send what may be sent now: broadcasts before frames to single neighbours."""
        rounds = [due for due in self._schedule.due_batches(now) if self._may_announce(due)]
        for due in rounds:
            self._queue.queue_broadcast(due, now)
            if due.is_first:
                self._unlogged.setdefault(due.placement.interface, []).extend(due.addresses)
        self._send(now)
        self._log_announced()
        for due in rounds:
            try:
                neighbours = self._neighbours(due.placement)
            except Exception:  # everybody has heard the broadcast; a round comes again
                log.exception("cannot tell the neighbours on %s", due.placement.interface)
                continue
            if neighbours:
                self._queue.queue_directed(due, neighbours, now)

    def _may_announce(self, due: AnnouncementBatch) -> bool:
        link = self._links.get(due.placement.interface)
        return link is not None and _speaker(link) is not None

    def _send(self, now: float) -> None:
        frames: dict[str, list[bytes]] = {}
        for call in self._queue.pop_due(now, self._schedule.is_served):
            link = self._links.get(call.placement.interface)
            if link is not None:
                frames.setdefault(link.name, []).append(
                    announcement_frame(call, mac_bytes(link.mac))
                )
        for name, batch in frames.items():
            self._metrics.frames.inc(self._sender.send(self._links[name], batch))

    def _log_announced(self) -> None:
        """Log one line for what was announced to the whole segment by now."""
        for name in [name for name in self._unlogged if not self._queue.has_first_pending(name)]:
            log.info("announced %s on %s", format_addresses(self._unlogged.pop(name)), name)

    def _neighbours(self, place: Placement) -> list[NeighbourEntry]:
        """The neighbours that get frames of their own."""
        link = self._links[place.interface].index
        table = self._kernel.neighbours()
        neighbours = [
            entry for entry in table if entry.link == link and entry.mac and entry.answers
        ]
        if place.arp_all_hosts:
            return neighbours
        wanted = {*place.arp_targets, *self._kernel.gateways(link)}
        for address in wanted - {neighbour.address for neighbour in neighbours}:
            self._kernel.resolve_neighbour(link, address)
        return [neighbour for neighbour in neighbours if neighbour.address in wanted]


def _speaker(link: Link) -> tuple[int, str] | None:
    """Who speaks on the link; None while nobody can."""
    can_speak = link.is_up and link.has_carrier and len(mac_bytes(link.mac)) == ETHERNET_MAC_BYTES
    return (link.index, link.mac) if can_speak else None
