"""No fence: for nodes that cannot have one, where the administrator accepts what that means."""

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from duravip_api.addresses import union
from duravip_api.guards import Guards

log = logging.getLogger(__name__)


class NullFence:
    """Stands in for the fence and for its watchdog: keeps the sets, and mutes nothing.

    When the agent dies, its node goes on answering, be it beside the next owner. An address that
    must fall silent has to be deleted.
    """

    is_fenced = is_fought = False
    problem = ""
    guard_problem = "there is no fence, and so nothing that keeps its other ports closed"
    unguarded: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        self.active: frozenset[str] = frozenset()
        self._unguardable: frozenset[str] = frozenset()
        self.refused = 0

    def build(
        self, interfaces: Iterable[str], watchdog_timeout: float, leftovers: Iterable[str] = ()
    ) -> None:
        """Say that nothing is built."""
        del interfaces
        log.warning(
            "there is no fence: if this agent hangs or dies, its addresses are not muted after "
            "%g s, and two nodes may answer for one",
            watchdog_timeout,
        )
        self.watched, self.active = frozenset(leftovers), frozenset()

    def add_interfaces(self, interfaces: Iterable[str]) -> None:
        """Nothing is watched."""

    def guard(self, guards: Guards) -> None:
        """Note what cannot be guarded."""
        self._unguardable = union(guards.values()) if self.guard_problem else frozenset()

    def activate(self, addresses: Iterable[str]) -> None:
        """Note that these are active, but for those that should be guarded."""
        named = frozenset(addresses) - self._unguardable
        self.watched, self.active = self.watched | named, self.active | named

    def deactivate(self, addresses: Iterable[str]) -> None:
        """Note that these may not speak any more; nothing keeps them from it."""
        self.active = self.active.difference(addresses)

    def unwatch(self, addresses: Iterable[str]) -> None:
        """Note that these are gone from the node."""
        named = frozenset(addresses)
        self.watched, self.active = self.watched - named, self.active - named

    def remove(self) -> None:
        """Note that all are gone."""
        self.watched = self.active = frozenset()

    def is_intact(self) -> bool:
        """Nothing that is not there can be damaged."""
        return True

    def is_fed(self) -> bool:
        """Nothing is muted."""
        return True

    def repair(self) -> bool:
        """Nothing was to be mended."""
        return False

    def feed(self) -> None:
        """There is no watchdog, nothing to mute, and nothing to let go of."""

    mute = close = feed
