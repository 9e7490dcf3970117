"""Which addresses a node of ours has let go, so that the next one need not probe for them (O6).

A leader that begins knows nothing: an address that no node serves may have been taken by any host.
What one of our nodes served under its grant was not a stranger's, and once that node has let it
go, the next owner follows within moments. This holds only while the address is on its way from
one node to another. What nobody is to have, because its object was deleted or edited or because
no node may hold it, may have been taken by a stranger before somebody is to have it again.
"""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

NOTHING: frozenset[str] = frozenset()


class Releases(NamedTuple):
    """What is known of the addresses that one node serves, and of those that it served."""

    boot: str = ""
    """The start of its agent that this is known of."""
    served: frozenset[str] = NOTHING
    """Of what it is granted: what it was seen to serve since this leader began."""
    released: frozenset[str] = NOTHING
    """What it was seen to serve before it was taken out of its spec. Whether the node has acted
    upon that is known elsewhere (`handover.Doubts`)."""

    def after(self, boot: str, granted: frozenset[str], served: frozenset[str]) -> "Releases":
        """The same, once the node is granted exactly these and reports those as served.

        An agent that has started anew has served nothing yet, however long it was away.
        """
        if boot != self.boot:
            return Releases(boot, served & granted, self.released)
        now = served & granted
        if now != self.served:
            now |= self.served & granted
        gone = self.served - granted
        return Releases(boot, now, (self.released | gone) - granted)

    def unheard(self) -> "Releases":
        """The same, once its agent is not heard: what it serves now nobody knows."""
        return self._replace(served=NOTHING) if self.served else self

    def without(self, granted: AbstractSet[str]) -> "Releases":
        """The same, once these are granted to somebody: one release is good for one grant."""
        return self if self.released.isdisjoint(granted) else self._forget(granted)

    def wanted(self, wanted: AbstractSet[str]) -> "Releases":
        """Of these addresses only: nobody is to have the others now."""
        if self.served <= wanted and self.released <= wanted:
            return self
        return Releases(self.boot, self.served & wanted, self.released & wanted)

    def _forget(self, granted: AbstractSet[str]) -> "Releases":
        return self._replace(released=self.released - granted)


NO_RELEASES = Releases()
