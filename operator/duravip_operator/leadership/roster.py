"""Which replicas there are, told from the Leases by which they announce themselves.

A replica is taken for gone when its Lease has not changed for as long as it lasts, by our own
clock: one that is seen for the first time is given its whole time.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Announcement(NamedTuple):
    """A Lease by which a replica announces itself."""

    name: str
    version: str
    address: str
    """Where agents shall send their beats; empty when it does not say."""
    lasts: float
    public_key: str = ""
    """By which agents know it; empty: of an older version."""
    renewed: str = ""
    """`renewTime`."""


class Replica(NamedTuple):
    """A replica that is there."""

    address: str
    public_key: str


class Roster:
    """What was announced, and since when it has stood unchanged."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Announcement, float]] = {}

    def see(self, announced: Iterable[Announcement], now: float) -> None:
        """Take all announcements as they are now."""
        before, self._seen = self._seen, {}
        for found in announced:
            known = before.get(found.name)
            is_same = known is not None and known[0].version == found.version
            self._seen[found.name] = known if known and is_same else (found, now)

    def living(self, now: float) -> frozenset[Replica]:
        """The replicas that are there, one at each address.

        One that was started anew at the same address, under another name, has another key: the
        one that has announced itself last is there, by the clock of the host that both ran on.
        """
        there = [
            found
            for found, since in self._seen.values()
            if found.address and now - since <= found.lasts
        ]
        there.sort(key=lambda found: found.renewed)
        keys = {found.address: found.public_key for found in there}
        return frozenset(Replica(address, key) for address, key in keys.items())

    def expired(self, now: float) -> list[Announcement]:
        """The announcements of those that are gone."""
        return [found for found, since in self._seen.values() if now - since > found.lasts]
