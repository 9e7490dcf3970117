"""The two ways into nf_tables: the program nft, and a socket for what must be quick.

The rules are text, loaded by nft. Set elements go by the socket, because a fail-over waits for
them: no process has to start, and thousands take a third of the time that a library needs.
"""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterable, Sequence
from functools import partial

from duravip_agent.codec import nf_tables
from duravip_agent.codec.netlink_messages import ERROR, errno_of
from duravip_agent.codec.nf_tables import FENCE, INET, NETDEV, NftObject, NftRequest, SetElement
from duravip_agent.codec.nft_ruleset import TABLE
from duravip_agent.kernel.netlink_socket import NETFILTER, KernelRefusalError, NetlinkSocket

NFT_TIMEOUT_S = 10.0
"""Time limit of one run of nft."""

OLDEST_KERNEL = "5.16"
"""The first one with rules for what leaves a network interface."""

_SIZES = {4, 16}
"""Bytes of an address."""


class FenceError(Exception):
    """The fence is not as it should be: mute everything. The message is one line."""


class NftError(FenceError):
    """Nft, or the kernel, does not take the rules as they are written."""


class Nftables(NetlinkSocket):
    """Reads and changes our tables. For one thread.

    The kernel works while `send` and `recv` run: an answer is there at once or will never be. A
    transaction waits in `send` for those of other programs.
    """

    def __init__(self) -> None:
        super().__init__(NETFILTER, timeout=0.0)

    def commit(self, requests: Iterable[NftRequest]) -> None:
        """Make all these changes, or none and raise OSError; they are in force on return."""
        listed = list(requests)
        if listed:
            first = self.numbers(len(listed) + 2)
            self.send(nf_tables.transaction(listed, first))
            self._check(first)

    def generation(self) -> int:
        """Another number after every transaction of anybody in this network namespace.

        To be asked for time and again. Being told would cost more: while anybody listens, the
        kernel writes a message for each element and rule, and transactions take thrice as long.
        """
        bodies = list(self.stream(nf_tables.generation_request))
        if not bodies:
            raise OSError(errno.EPROTO, "no answer to a question")
        return nf_tables.generation_in(bodies[0])

    def addresses(self, name: str) -> frozenset[str]:
        """What is in `vips` or `held` of either table; nothing when there is no table."""
        names = (f"{name}4", f"{name}6")
        keys = (key for f in (NETDEV, INET) for n in names for key in self.keys(f, n))
        return frozenset(nf_tables.address_of(key) for key in keys if len(key) in _SIZES)

    def keys(self, family: int, name: str, table: str = TABLE) -> list[bytes]:
        """The elements of a set that have not expired; nothing when there is no such set."""
        bodies = self._dump(nf_tables.GET_ELEMENTS, (family, table), name)
        return [key for body in bodies for key in nf_tables.keys_in(body)]

    def lookup(self, family: int, name: str, keys: Iterable[bytes]) -> list[SetElement] | None:
        """These elements of a set; None when it does not have all of them, or is not there."""
        question = partial(nf_tables.lookup_request, family, name, list(keys))
        try:
            bodies = list(self.stream(question))
        except KernelRefusalError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        return [element for body in bodies for element in nf_tables.elements_in(body)]

    def objects(self, tables: Sequence[tuple[int, str]] = FENCE) -> frozenset[NftObject]:
        """What these tables consist of; nothing when there is no table."""
        kinds = (nf_tables.GET_TABLES, nf_tables.GET_CHAINS, nf_tables.GET_RULES)
        objects = (
            nf_tables.object_in(kind, where, body)
            for where in tables
            for kind in kinds
            for body in self._dump(kind, where)
        )
        return frozenset(piece for piece in objects if piece)

    def _check(self, first: int) -> None:
        """Read the answers; raises OSError when the transaction was not made."""
        numbers: list[int] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                messages = self.receive(first)
                numbers += [errno_of(m.body) for m in messages if m.kind == ERROR]
        if not numbers:
            raise OSError(errno.EPROTO, "no answer to a transaction")
        if worst := next(filter(None, numbers), 0):
            raise OSError(worst, "transaction refused")

    def _dump(self, kind: int, where: tuple[int, str], name: str = "") -> list[bytes]:
        """The answers to a listing; nothing where there is no such table or set."""
        try:
            return self.dump(lambda seq: nf_tables.dump_request(kind, where, seq, name))
        except KernelRefusalError:
            return []


def run_nft(text: str) -> None:
    """Load rules that are written in nft's language; raises FenceError."""
    command = ["nft", "-f", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - nothing in it comes from anybody else
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=NFT_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise FenceError("cannot build the fence: there is no program nft") from error
    except subprocess.TimeoutExpired as error:
        raise FenceError("cannot build the fence: nft does not come to an end") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nft has failed"]
        raise NftError(with_needs(lines[0].rpartition("Error: ")[2]))


def with_needs(problem: str) -> str:
    """The problem, and what the fence needs."""
    return (
        f"cannot build the fence: {problem}; it needs CAP_NET_ADMIN and Linux {OLDEST_KERNEL} or "
        f"newer with nf_tables (this is {os.uname().release})"
    )
