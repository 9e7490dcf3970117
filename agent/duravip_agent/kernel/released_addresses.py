"""Addresses that this node has held and released: it speaks for them no more, in no way.

`codec/released_ruleset.py` has the rules. They are put in place before an alias is deleted, so
that there is no moment in which neither the fence nor they apply.

The connections of these addresses are ended afterwards, in a thread of its own. Their conntrack
entries are deleted, in all forms in which an address can be part of one, and the node's own
sockets with a peer are destroyed: their programs learn at once what they would otherwise learn
after minutes. Listening sockets stay: the address may come back. All of it comes after the silence
and the report, and nothing depends on it; what is sent meanwhile is dropped by the fence and by
these rules.
"""

import errno
import logging
import os
import time
from collections.abc import Callable, Collection
from functools import partial
from threading import Condition, Thread

from duravip_agent.codec import conntrack, nf_tables, released_ruleset, sock_diag
from duravip_agent.codec.nf_tables import INET, NftObject, NftRequest
from duravip_agent.kernel.netlink_socket import NETFILTER, SOCK_DIAG, NetlinkSocket
from duravip_agent.kernel.nftables import FenceError, Nftables, run_nft
from duravip_agent.metrics import Metrics
from duravip_api.addresses import to_bytes

log = logging.getLogger(__name__)

GATHER_S = 0.02
"""What is released by the thousand comes in pieces; both lists are read once for many of them."""

BATCH = 64
"""Requests in one system call."""

_TIMEOUT_S = 2.0
"""The kernel answers at once; longer means that an answer was lost."""


class ConnectionEnder:
    """Ends connections. Takes orders from the loop's thread, which never waits for it."""

    def __init__(self, metrics: Metrics, held: Callable[[], frozenset[str]]) -> None:
        """`held` gives the active addresses: what is back already is left alone."""
        self._metrics, self._held = metrics, held
        self._changed = Condition()
        self._waiting: set[str] = set()
        self._is_busy = False
        self._problems: dict[str, str] = {}

    def start(self) -> None:
        """Begin to work."""
        Thread(target=self._run, name="connections", daemon=True).start()

    def end(self, addresses: Collection[str]) -> None:
        """End what belongs to these, soon."""
        with self._changed:
            self._waiting.update(addresses)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is done, at most this many seconds; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._is_busy), seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._is_busy = True
            time.sleep(GATHER_S)
            with self._changed:
                addresses, self._waiting = self._waiting, set()
            self._end_now(addresses - self._held())
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _end_now(self, addresses: Collection[str]) -> None:
        keys = frozenset(map(to_bytes, addresses))
        if not keys:
            return
        for what, act in (("sockets", _destroy_sockets), ("conntrack", _forget_connections)):
            try:
                count = act(keys)
            except OSError as error:
                self._note(what, error.strerror or str(error))
                continue
            self._problems.pop(what, None)
            self._metrics.ended.labels(what).inc(count)
            if count:
                log.info("ended %d connections of released addresses (%s)", count, what)

    def _note(self, what: str, problem: str) -> None:
        """Say it once: a kernel that lacks it will lack it the next time."""
        self._metrics.not_ended.labels(what).inc()
        if self._problems.get(what) != problem:
            log.warning("cannot end connections of released addresses (%s): %s", what, problem)
        self._problems[what] = problem


def _destroy_sockets(addresses: frozenset[bytes]) -> int:
    """Destroy the node's own sockets that have one of these; gives back how many there were."""
    named, count = sock_diag.source_forms(addresses), 0
    with NetlinkSocket(SOCK_DIAG, timeout=_TIMEOUT_S) as kernel:
        for family, protocol in sock_diag.CONNECTED:
            answers = kernel.stream(partial(sock_diag.connected_request, family, protocol))
            matching = [body for body in answers if sock_diag.has_source(body, named)]
            count += _end_each(kernel, partial(sock_diag.destroy_request, protocol), matching)
    return count


def _forget_connections(addresses: frozenset[bytes]) -> int:
    """Delete the entries that concern one of these; gives back how many there were."""
    count = 0
    with NetlinkSocket(NETFILTER, timeout=_TIMEOUT_S) as kernel:
        for version, family in conntrack.FAMILIES.items():
            if not any(len(address) == (4 if version == 4 else 16) for address in addresses):  # noqa: PLR2004
                continue
            answers = kernel.stream(partial(conntrack.dump_request, family))
            matching = [body for body in answers if conntrack.involves(body, addresses)]
            count += _end_each(kernel, conntrack.delete_request, matching)
    return count


def _end_each(
    kernel: NetlinkSocket, request: Callable[[bytes, int], bytes], bodies: list[bytes]
) -> int:
    """Send one request for each; gives back how many were done.

    One for something that is gone by now counts as well; raises OSError where none was done.
    """
    answers = kernel.change(bodies, lambda body, seq, _: request(body, seq), BATCH)
    refused = [number for number in answers.values() if number != errno.ENOENT]
    if refused and len(refused) == len(bodies):
        raise OSError(refused[-1], os.strerror(refused[-1]))
    return len(bodies) - len(refused)


KNOWN_S = released_ruleset.KEPT_S - 10.0
"""How long an address counts as one that is in the set: until shortly before it expires there."""

LOOK_EVERY_S = 1.0
"""So often, at most, the whole of it is compared, where others change rules all the time."""

RETRY_S = 30.0
"""Pause between two tries where the kernel, or nft, refuses the table."""


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
            self._commit([*nf_tables.delete_tables(released_ruleset.TABLES)])
        self._nft.close()
        self._nft = None

    def _is_whole(self, nft: Nftables) -> bool:
        """Whether rules and addresses are there; looks closely where anything has changed."""
        generation = nft.generation()
        if self._rules is None or generation == self._generation:
            return self._rules is not None
        self._generation = generation
        return nft.objects(
            released_ruleset.TABLES
        ) == self._rules and self._until.keys() <= self._read_addresses(nft)

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
            self._rules = self._nft.objects(released_ruleset.TABLES)
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
