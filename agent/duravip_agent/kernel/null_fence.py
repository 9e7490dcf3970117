"""No fence: for nodes that cannot have one, where the administrator accepts what that means."""

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType

log = logging.getLogger(__name__)


class NullFence:
    """Stands in for the fence and for its watchdog: keeps the sets, and mutes nothing.

    When the agent dies, its node goes on answering, be it beside the next owner. An address that
    must fall silent has to be deleted.
    """

    is_fenced = is_fought = False
    problem = ""
    unguarded: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        self.active: frozenset[str] = frozenset()
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

    def activate(self, addresses: Iterable[str]) -> None:
        """Note that these are active."""
        named = frozenset(addresses)
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
        """There is no watchdog."""

    def mute(self) -> None:
        """Nothing is muted."""

    def close(self) -> None:
        """There is nothing to let go of."""
