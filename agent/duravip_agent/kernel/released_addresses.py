"""Addresses that this node has held and released: it speaks for them no more, in no way.

`codec/released_ruleset.py` has the rules. They are put in place before an alias is deleted, so
that there is no moment in which neither the fence nor they apply; connections are ended
afterwards.
"""

import logging
import time
from collections.abc import Callable, Collection

from duravip_agent.codec import nf_tables, released_ruleset
from duravip_agent.codec.nf_tables import INET, NftObject, NftRequest
from duravip_agent.kernel.connections import ConnectionEnder
from duravip_agent.kernel.fence import FenceError, run_nft
from duravip_agent.kernel.nftables import Nftables

log = logging.getLogger(__name__)

KNOWN_S = released_ruleset.KEPT_S - 10.0
"""How long an address counts as one that is in the set: until shortly before it expires there."""

LOOK_EVERY_S = 1.0
"""So often, at most, the whole of it is compared, where others change rules all the time."""

RETRY_S = 30.0
"""Pause between two tries where the kernel, or nft, refuses the table."""

_WHERE = ((INET, released_ruleset.TABLE),)


class ReleasedAddresses:
    """Keeps the set of released addresses. For the loop's thread; nothing here raises.

    The table outlives the agent as long as something is in it.
    """

    def __init__(
        self,
        connections: ConnectionEnder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections, self._clock = connections, clock
        self._nft: Nftables | None = None
        self._until: dict[str, float] = {}
        """Of each address when it may be forgotten, by the clock."""
        self._cards: frozenset[str] = frozenset()
        self._rules: frozenset[NftObject] | None = None
        self._generation = 0
        self._problem = ""
        self._look_at = 0.0
        """When to look at the table again, by the same."""

    @property
    def addresses(self) -> frozenset[str]:
        """What is watched."""
        return frozenset(self._until)

    def build(self) -> None:
        """Begin: what an earlier agent has put into the set stays in it."""
        try:
            self._nft = Nftables()
            listed = self._read_addresses(self._nft)
            names = self._nft.keys(INET, released_ruleset.INTERFACES, released_ruleset.TABLE)
        except OSError as error:
            self._log_problem(error.strerror or str(error))
            return
        self._until = dict.fromkeys(listed, self._clock() + KNOWN_S)
        self._cards = frozenset(map(released_ruleset.interface_name, names))
        self._load()

    def start(self) -> None:
        """Begin to end connections."""
        if self._connections:
            self._connections.start()

    def add(self, addresses: Collection[str], cards: Collection[str]) -> None:
        """These are about to be deleted from these interfaces: to be called before it is done."""
        if not addresses:
            return
        self._drop_expired()
        self._until |= dict.fromkeys(addresses, self._clock() + KNOWN_S)
        new = frozenset(cards) - self._cards
        self._cards |= new
        self._commit(
            [*released_ruleset.add_interfaces(new), *released_ruleset.add_addresses(addresses)]
        )
        if self._connections:
            self._connections.end(addresses)

    def remove(self, addresses: Collection[str]) -> None:
        """Those of these that are in the set are held again."""
        back = self._until.keys() & addresses
        if not back:
            return
        self._until = {a: until for a, until in self._until.items() if a not in back}
        self._commit([*released_ruleset.remove_addresses(back)])

    def repair(self) -> None:
        """Build the table again where a program has changed it; to be called every 100 ms."""
        now = self._clock()
        if self._nft is None or not self._until or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        self._drop_expired()
        try:
            if self._is_whole(self._nft):
                return
        except OSError as error:
            self._log_problem(error.strerror or str(error))
            return
        self._load()

    def close(self, patience: float) -> None:
        """Wait this long for connections to be ended; the table stays if anything is in it."""
        if self._connections:
            self._connections.wait(patience)
        if self._nft is None:
            return
        if not self._until:
            self._commit([*released_ruleset.delete_table()])
        self._nft.close()
        self._nft = None

    def _is_whole(self, nft: Nftables) -> bool:
        """Whether rules and addresses are there; looks closely where anything has changed."""
        generation = nft.generation()
        if self._rules is None or generation == self._generation:
            return self._rules is not None
        self._generation = generation
        return nft.objects(_WHERE) == self._rules and self._until.keys() <= self._read_addresses(
            nft
        )

    def _drop_expired(self) -> None:
        now = self._clock()
        if min(self._until.values(), default=now) <= now:
            self._until = {a: until for a, until in self._until.items() if until > now}

    @staticmethod
    def _read_addresses(nft: Nftables) -> frozenset[str]:
        """What is in the set of the kernel."""
        names = (f"{released_ruleset.RELEASED}{version}" for version in (4, 6))
        keys = (key for name in names for key in nft.keys(INET, name, released_ruleset.TABLE))
        return frozenset(map(nf_tables.address_of, keys))

    def _commit(self, requests: Collection[NftRequest]) -> None:
        if self._nft is None:
            return
        try:
            self._nft.commit(requests)
        except OSError as error:
            log.debug("the set of released addresses is built again: %s", error.strerror)
            self._load()

    def _load(self) -> None:
        """Make the table as it is wanted."""
        if self._nft is None:
            return
        self._rules = None
        try:
            run_nft(released_ruleset.table(self._until))
            self._nft.commit(released_ruleset.add_interfaces(self._cards))
            self._rules = self._nft.objects(_WHERE)
        except (FenceError, OSError) as error:
            self._log_problem(str(error))
            return
        self._problem = ""

    def _log_problem(self, problem: str) -> None:
        """Say it once."""
        self._look_at = self._clock() + RETRY_S
        if problem != self._problem:
            log.warning("cannot keep released addresses from being translated to: %s", problem)
        self._problem = problem
