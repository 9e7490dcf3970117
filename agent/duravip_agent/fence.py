"""The fence: what the kernel lets out of, and into, the addresses that this node has plumbed.

Silence must not depend on this program: it may be killed, stopped or stuck. `core/ruleset.py` says
what the kernel does about that; here is who may speak. An address that is in `vips` is mute unless
it is in `held` as well, and all of them are when nobody has refreshed the dead-man in time.
"""

import errno
import logging
import os
import socket
import subprocess
from collections.abc import Collection, Iterable

from duravip_agent.core import ruleset
from duravip_agent.core.transactions import (
    ALIVE,
    HELD,
    INET,
    NETDEV,
    VIPS,
    Request,
    Rule,
    additions,
    disposal,
    removals,
)
from duravip_agent.nftables import Nftables

log = logging.getLogger(__name__)

LOADING = 10.0
"""So long may nft take."""

OLDEST_KERNEL = "5.16"
"""The first one with rules for what leaves a network card."""


class FenceError(Exception):
    """The fence is not as it should be: mute everything. The message is one line."""


class Fence:
    """Keeps both tables as they are wanted. For one thread.

    Before `build` and after `drop` there is none. After a FenceError the kernel may hold anything;
    the next call that works makes it right.
    """

    is_fenced = True

    def __init__(self) -> None:
        """Raises FenceError when the kernel has no nf_tables."""
        try:
            self._nft = Nftables()
        except OSError as error:
            raise FenceError(_needs(error.strerror or str(error))) from error
        self._interfaces: frozenset[str] = frozenset()
        self._dead_man = 0.0
        self._is_wanted = False
        self._rules: frozenset[Rule] | None = None
        """What was there when all was well; None = not known to be."""
        self._generation = 0
        """Of the last look at them."""
        self.vips: frozenset[str] = frozenset()
        """All that is watched. To be read only, as the next."""
        self.held: frozenset[str] = frozenset()
        """Those that may speak while the dead-man is refreshed."""

    def build(
        self, interfaces: Iterable[str], dead_man: float, leftovers: Iterable[str] = ()
    ) -> None:
        """Make it anew, in place of an earlier agent's: everything is mute from here.

        `leftovers` are the addresses that the node has with our mark; what an earlier fence
        watched is added to them.
        """
        self._interfaces, self._dead_man = frozenset(interfaces), dead_man
        self.vips, self.held = self._nft.addresses(VIPS).union(leftovers), frozenset()
        self._is_wanted = True
        self._load_all()

    def guard(self, interfaces: Iterable[str]) -> None:
        """Watch what leaves by these as well; to be called whenever a link may have come."""
        self._interfaces = self._interfaces.union(interfaces)
        self._commit(())
        chains = {rule.chain for rule in self._rules or ()}
        missing = {name for name in self._present() if ruleset.chain_of(name) not in chains}
        if missing:
            self._load(ruleset.cards(missing))

    def take(self, addresses: Collection[str]) -> None:
        """These may speak from now on: to be called before they are plumbed."""
        self.vips, self.held = self.vips.union(addresses), self.held.union(addresses)
        self._commit([*additions(VIPS, addresses), *additions(HELD, addresses)])

    def release(self, addresses: Iterable[str]) -> None:
        """These are silent when this returns, though the node still has them."""
        gone = self.held.intersection(addresses)
        self.held -= gone
        self._commit([*removals(HELD, gone)])

    def forget(self, addresses: Iterable[str]) -> None:
        """Watch these no longer: to be called after they were deleted from the node."""
        vips = self.vips.intersection(addresses)
        held = self.held & vips
        self.vips, self.held = self.vips - vips, self.held - held
        self._commit([*removals(HELD, held), *removals(VIPS, vips)])

    def drop(self) -> None:
        """Remove it: to be called when nothing of ours is left on the node."""
        self.vips = self.held = frozenset()
        self._is_wanted, self._rules = False, None
        try:
            self._nft.commit(disposal())
        except OSError as error:
            raise FenceError(f"cannot remove the fence: {error.strerror}") from error

    def is_intact(self) -> bool:
        """Whether every rule of ours is there as it was made."""
        return self._rules is not None and self._nft.rules() == self._rules

    def is_alive(self) -> bool:
        """Whether the dead-man is: without it everything is mute."""
        return all(self._nft.keys(family, ALIVE) for family in (NETDEV, INET))

    def mend(self) -> bool:
        """Build it again if somebody has changed it; gives back whether that was so.

        To be called with every beat: it looks no further where nobody has changed anything.
        After True refresh the dead-man: everything is mute until then.
        """
        if not self._is_wanted or self._is_untouched():
            return False
        log.warning("something on the node has changed our nft tables: they are built again")
        self._load_all()
        return True

    def close(self) -> None:
        """Let go of the sockets; the tables stay, and mute everything in time."""
        self._nft.close()

    def _is_untouched(self) -> bool:
        """As `is_intact`, and quicker when there was no transaction since it was asked last."""
        try:
            generation = self._nft.generation()
            if generation != self._generation:
                self._generation = generation
                return self.is_intact()
        except OSError as error:
            raise FenceError(f"cannot look at the fence: {error.strerror}") from error
        return self._rules is not None

    def _commit(self, requests: Collection[Request]) -> None:
        """Make changes that are noted already: where they cannot be made, make all of it anew."""
        if self._is_wanted and self._rules is None:
            self._load_all()
        elif requests and not self._is_wanted:
            raise FenceError("cannot change the fence: it is not built")
        elif requests:
            self._commit_or_rebuild(requests)

    def _commit_or_rebuild(self, requests: Collection[Request]) -> None:
        try:
            self._nft.commit(requests)
        except OSError as error:
            self._rules = None
            if error.errno != errno.ENOENT:
                raise FenceError(f"cannot change the fence: {error.strerror}") from error
            log.warning("something on the node has emptied our nft tables: they are built again")
            self._load_all()

    def _load_all(self) -> None:
        self._rules = None
        self._load(ruleset.tables(self._present(), self.vips, self._dead_man))
        try:
            self._nft.commit(additions(HELD, self.held))
        except OSError as error:
            self._rules = None
            raise FenceError(f"cannot build the fence: {error.strerror}") from error

    def _load(self, text: str) -> None:
        self._rules = None
        run_nft(text)
        rules = self._nft.rules()
        if {rule.family for rule in rules} != {NETDEV, INET}:
            raise FenceError("cannot build the fence: something removes it at once")
        self._rules = rules

    def _present(self) -> frozenset[str]:
        """The interfaces to watch, as far as they are there: older kernels take no others."""
        present = self._interfaces.intersection(name for _, name in socket.if_nameindex())
        for name in present:
            if not ruleset.may_name(name):
                raise FenceError(f"cannot guard the interface {name!r}: nft cannot read its name")
        return present


def run_nft(text: str) -> None:
    """Load rules that are written in nft's language; raises FenceError."""
    command = ["nft", "-f", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - nothing in it comes from anybody else
            command, input=text, capture_output=True, text=True, timeout=LOADING, check=False
        )
    except FileNotFoundError as error:
        raise FenceError("cannot build the fence: there is no program nft") from error
    except subprocess.TimeoutExpired as error:
        raise FenceError("cannot build the fence: nft does not come to an end") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nft has failed"]
        raise FenceError(_needs(said[0].rpartition("Error: ")[2]))


def _needs(problem: str) -> str:
    return (
        f"cannot build the fence: {problem}; it needs CAP_NET_ADMIN and Linux {OLDEST_KERNEL} or "
        f"newer with nf_tables (this is {os.uname().release})"
    )
