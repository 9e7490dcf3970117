"""The fence: nftables rules that keep an address of ours silent unless it is active.

Silence must not depend on this program: it may be killed, stopped or stuck. `codec/nft_ruleset.py`
has the rules; this module keeps their sets. An address in the set `vips` is mute unless it is in
the set `held` as well, and all of them are mute when the watchdog was not fed in time. What an
active one lets in is for the guard to say (`kernel/guard.py`).

Nor does the fence rely on what it has loaded: other programs change rules, and interfaces come and
go. Where the kernel does not have what it should, all is built again. Where that cannot be done
there is no fence (`problem`): what must be silent has to be deleted then.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable

from duravip_agent.codec import nft_ruleset
from duravip_agent.codec.nf_tables import (
    ALIVE,
    ALWAYS_THERE,
    HELD,
    INET,
    NETDEV,
    VIPS,
    NftObject,
    NftRequest,
    NftRule,
    add_addresses,
    delete_tables,
    interface_chain,
    keys_of,
    remove_addresses,
)
from duravip_agent.kernel.guard import Guard, holds
from duravip_agent.kernel.nftables import (
    FenceError,
    Nftables,
    NftError,
    run_nft,
    with_needs,
)
from duravip_api.guards import Guards

log = logging.getLogger(__name__)

CHECK_BATCH = 64
"""Addresses that are looked up in the sets at a time, which takes a millisecond."""

RETRY_AFTER_S, RETRY_INTERFACE_AFTER_S = 1.0, 10.0
"""Pauses before a refused fence, or an interface's refused part of it, is tried again."""


class Fence:
    """Keeps both tables as they are wanted. For one thread.

    Before `build` and after `remove` there is none. After a FenceError the kernel may hold
    anything, and nothing is active until `repair` has made it right.
    """

    def __init__(self) -> None:
        """Raises FenceError when the kernel has no nf_tables."""
        try:
            self._nft = Nftables()
        except OSError as error:
            raise FenceError(with_needs(error.strerror or str(error))) from error
        self._guard = Guard()
        self._interfaces: frozenset[str] = frozenset()
        self._watchdog_timeout = 0.0
        self._is_wanted = self._is_rebuilt = False
        self._built: frozenset[NftObject] = frozenset()
        """What was there when all was well."""
        self._generation = 0
        """Of the last look at it."""
        self._to_check: list[str] = []
        """What others may have taken out of the sets, since they have changed something."""
        self._guard_to_check: list[tuple[str, bytes]] = []
        """The same of the guard's sets."""
        self._retry_at = 0.0
        self._refused: dict[str, tuple[str, float]] = {}
        """Interfaces that cannot be guarded: why, and when the next try is."""
        self.problem = ""
        """Why there is no fence at this moment."""
        self.is_fought = False
        """Whether something keeps changing it: it cannot be relied upon then, either."""
        self.watched: frozenset[str] = frozenset()
        """All that is watched. To be read only, as the next."""
        self.active: frozenset[str] = frozenset()
        """Those that the fence passes while the watchdog is fed."""

    @property
    def is_fenced(self) -> bool:
        """Whether what is not held is mute; else it has to be deleted."""
        return not (self.problem or self.is_fought)

    @property
    def unguarded(self) -> dict[str, str]:
        """The interfaces whose announcements are not kept back, each with the reason."""
        return {name: why for name, (why, _) in self._refused.items()}

    @property
    def guard_problem(self) -> str:
        """Why guarded addresses cannot be passed; empty: they can."""
        return self._guard.problem

    def build(
        self, interfaces: Iterable[str], watchdog_timeout: float, leftovers: Iterable[str] = ()
    ) -> None:
        """Make it anew, in place of an earlier agent's: everything is mute from here.

        `leftovers` are the addresses that the node has with our mark; what an earlier fence
        watched is added to them.
        """
        self._interfaces, self._watchdog_timeout = frozenset(interfaces), watchdog_timeout
        self.watched, self.active = self._nft.addresses(VIPS).union(leftovers), frozenset()
        self._is_wanted = True
        self._load_all()
        self._is_rebuilt = False

    def add_interfaces(self, interfaces: Iterable[str]) -> None:
        """Watch what leaves by these as well; to be called whenever a link may have come."""
        self._interfaces = self._interfaces.union(interfaces)
        if self.problem or not self._is_wanted:
            return
        if not self._read_with_retry(self._is_as_built):
            log.warning("our nft tables are not as they were made: they are built again")
            self._load_all()
            return
        chains, present = {piece.chain for piece in self._built}, self._present()
        self._refused = {name: why for name, why in self._refused.items() if name in present}
        if self._guard.is_due():
            self._build(self._load_guard)
        now = time.monotonic()
        held_back = {name for name, (_, due) in self._refused.items() if now < due}
        missing = {
            name for name in present - held_back if nft_ruleset.chain_name(name) not in chains
        }
        self._build(lambda: self._guard_each(missing))

    def guard(self, guards: Guards) -> None:
        """Let these addresses in by these ports only, and all others by any.

        To be called before one of them is active, and while none is that is named no more
        because it is granted no more.
        """
        self._commit(self._guard.change(guards))

    def activate(self, addresses: Collection[str]) -> None:
        """Pass these from now on: to be called before the kernel has them.

        Those that should be guarded and cannot stay as they are.
        """
        if self.problem:
            raise FenceError(self.problem)
        if unguardable := self._guard.unguardable:
            addresses = frozenset(addresses) - unguardable
        self.watched, self.active = self.watched.union(addresses), self.active.union(addresses)
        self._commit([*add_addresses(VIPS, addresses), *add_addresses(HELD, addresses)])

    def deactivate(self, addresses: Iterable[str]) -> None:
        """These are silent when this returns, though the node still has them."""
        gone = self.active.intersection(addresses)
        self.active -= gone
        self._commit([*remove_addresses(HELD, gone)])

    def unwatch(self, addresses: Iterable[str]) -> None:
        """Watch these no longer: to be called after they were deleted from the node."""
        vips = self.watched.intersection(addresses)
        held = self.active & vips
        self.watched, self.active = self.watched - vips, self.active - held
        self._commit([*remove_addresses(HELD, held), *remove_addresses(VIPS, vips)])

    def remove(self) -> None:
        """Remove it: to be called when nothing of ours is left on the node."""
        self.watched = self.active = frozenset()
        self._is_wanted = False
        try:
            self._nft.commit(delete_tables())
        except OSError as error:
            raise FenceError(f"cannot remove the fence: {error.strerror}") from error

    def is_intact(self) -> bool:
        """Whether every rule of ours is there as it was made, and every address."""
        return not self.problem and self._read_with_retry(
            lambda: self._is_as_built() and self._has_all()
        )

    def is_fed(self) -> bool:
        """Whether the watchdog is: without it everything is mute."""
        return self._read_with_retry(self._has_refreshes)

    def repair(self) -> bool:
        """Build the fence again if a program has changed it; gives back whether that was so.

        To be called with every heartbeat: it looks no further where nobody has changed anything.
        After True feed the watchdog: everything is mute until then.
        """
        if not self._is_wanted or (self.problem and time.monotonic() < self._retry_at):
            return False
        if self.problem or not self._read_with_retry(self._is_untouched):
            log.warning("something on the node has changed our nft tables: they are built again")
            self._load_all()
        is_rebuilt, self._is_rebuilt = self._is_rebuilt, False
        return is_rebuilt

    def close(self) -> None:
        """Let go of the sockets; the tables stay, and mute everything in time."""
        self._nft.close()

    def _is_untouched(self) -> bool:
        """As `is_intact`, and quicker when there was no transaction since it was asked last."""
        generation = self._nft.generation()
        if generation != self._generation:
            if not self._is_as_built():
                return False
            self._generation = generation
            self._check_all()
        return self._has_next()

    def _is_as_built(self) -> bool:
        """Whether the rules are there; the kernel removes those of an interface that is gone."""
        present = self._nft.objects()
        if present == self._built:
            return True
        names = {nft_ruleset.chain_name(name) for _, name in socket.if_nameindex()}
        gone = {piece.chain for piece in self._built - present}
        if not present < self._built or not all(
            nft_ruleset.is_interface_chain(c) and c not in names for c in gone
        ):
            return False
        self._built = present
        return True

    def _in_order(self) -> list[str]:
        """All that is watched, one of each kind first: an emptied set shows at once."""
        kinds = {(address in self.active, ":" in address): address for address in self.watched}
        return [*kinds.values(), *self.watched.difference(kinds.values())]

    def _check_all(self) -> None:
        self._to_check, self._guard_to_check = self._in_order(), self._guard.wanted_keys()

    def _has_all(self) -> bool:
        self._check_all()
        while self._to_check or self._guard_to_check:
            if not self._has_next():
                return False
        return True

    def _has_next(self) -> bool:
        """Whether the sets hold the next of what they should, and no address besides."""
        piece, self._to_check = self._to_check[:CHECK_BATCH], self._to_check[CHECK_BATCH:]
        keys, left = self._guard_to_check[:CHECK_BATCH], self._guard_to_check[CHECK_BATCH:]
        self._guard_to_check = left
        return self._holds(piece) and holds(self._nft, keys)

    def _holds(self, addresses: Iterable[str]) -> bool:
        """Whether these are in the sets where they should be, and in no other."""
        vips = self.watched.intersection(addresses)
        held = vips & self.active
        return (
            self._is_in(VIPS, vips)
            and self._is_in(HELD, held)
            and not any(self._is_anywhere_in(HELD, address) for address in vips - held)
        )

    def _is_in(self, name: str, addresses: Iterable[str]) -> bool:
        return all(
            self._nft.lookup(family, f"{name}{version}", keys) is not None
            for version, keys in keys_of(addresses)
            for family in (NETDEV, INET)
        )

    def _is_anywhere_in(self, name: str, address: str) -> bool:
        return any(
            self._nft.lookup(family, f"{name}{version}", keys) is not None
            for version, keys in keys_of([address])
            for family in (NETDEV, INET)
        )

    def _has_refreshes(self) -> bool:
        elements_of = [
            self._nft.lookup(family, ALIVE, [ALWAYS_THERE]) for family in (NETDEV, INET)
        ]
        if not all(element.expires for elements in elements_of for element in elements or ()):
            self._built = frozenset()  # somebody has put it there for good: silence would not come
            self._generation = -1
        return all(elements_of)

    def _read_with_retry(self, look: Callable[[], bool]) -> bool:
        """Look at the kernel; raises FenceError when it does not answer twice."""
        try:
            return look()
        except OSError as error:
            log.debug("cannot look at the fence, trying again: %s", error)
        try:
            self._nft.renew()
            return look()
        except OSError as error:
            raise self._fail(f"cannot look at the fence: {error.strerror}") from error

    def _fail(self, problem: str) -> FenceError:
        """Take note that there is no fence."""
        self.problem, self.active = problem, frozenset()
        self._retry_at = time.monotonic() + RETRY_AFTER_S
        return FenceError(problem)

    def _commit(self, requests: Collection[NftRequest]) -> None:
        """Make changes that are noted already: where they cannot be made, make all of it anew."""
        if not requests or self.problem:
            return
        if not self._is_wanted:
            raise FenceError("cannot change the fence: it is not built")
        try:
            self._nft.commit(requests)
            generation = self._nft.generation()
        except OSError as error:
            log.warning("cannot change our nft tables, they are built again: %s", error.strerror)
            self._load_all()
            return
        if generation == self._generation + 1:  # nobody else's, so there is nothing to look at
            self._generation = generation

    def _load_all(self) -> None:
        """Build it; whatever is wrong with one interface costs that interface only."""
        self._is_rebuilt, self._refused = True, {}
        self._build(self._load_tables)
        self.problem = ""

    def _load_tables(self) -> None:
        present = self._present()
        plain = frozenset(filter(nft_ruleset.is_nameable, present))
        try:
            run_nft(nft_ruleset.fence_tables(plain, self.watched, self._watchdog_timeout))
        except NftError:
            run_nft(nft_ruleset.fence_tables((), self.watched, self._watchdog_timeout))
            self._guard_each(plain)
        self._guard_each(present - plain)
        self._guard.load()
        self.active -= self._guard.unguardable
        self._nft.commit([*self._guard.elements(), *add_addresses(HELD, self.active)])
        self._record_built()

    def _load_guard(self) -> None:
        """Load the guard where it was refused before."""
        self._guard.load()
        self._nft.commit(self._guard.elements())
        self._record_built()

    def _build(self, build: Callable[[], None]) -> None:
        """Build; raises FenceError, with that noted, where it cannot be done."""
        try:
            build()
        except OSError as error:
            raise self._fail(f"cannot build the fence: {error.strerror}") from error
        except FenceError as error:
            raise self._fail(str(error)) from error

    def _guard_each(self, interfaces: Iterable[str]) -> None:
        """Guard each of these by itself."""
        named = sorted(interfaces)
        for name in named:
            try:
                if nft_ruleset.is_nameable(name):
                    run_nft(nft_ruleset.interface_chains([name]))
                else:
                    self._nft.commit(
                        [interface_chain(nft_ruleset.chain_name(name), os.fsencode(name))]
                    )
                    run_nft(nft_ruleset.interface_rules(name))
            except (NftError, OSError) as error:
                if name in self._present():  # it may have gone meanwhile
                    self._refused[name] = (str(error), time.monotonic() + RETRY_INTERFACE_AFTER_S)
                    log.warning("cannot guard the interface %r: %s", name, error)
            else:
                self._refused.pop(name, None)
        if named:
            self._record_built()

    def _record_built(self) -> None:
        """Take what is there now for what should be."""
        self._generation = self._nft.generation()
        made = self._nft.objects()
        if {piece.family for piece in made if isinstance(piece, NftRule)} != {NETDEV, INET}:
            raise FenceError("cannot build the fence: something removes it at once")
        self._built, self._to_check, self._guard_to_check = made, [], []

    def _present(self) -> frozenset[str]:
        """The interfaces to watch, as far as they are there: older kernels take no others."""
        return self._interfaces.intersection(name for _, name in socket.if_nameindex())
