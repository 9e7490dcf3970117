"""Messages of netlink: the kernel does not lie, but another version may say more, or less."""

from collections.abc import Callable
from typing import Any

from duravip_agent.core import conntrack, links, messages, sockets, transactions
from duravip_agent.core.messages import Change
from duravip_agent.core.observed import Alias
from fuzz.registry import Target, target

ADDRESSES = frozenset({b"\x0a\x01\x01\x01", bytes(15) + b"\1"})
WHERE = transactions.FENCE[0]
PIECES = (transactions.GET_TABLES, transactions.GET_CHAINS, transactions.GET_RULES)
PORTS = ("TCP/25", "UDP/53")


def _datagrams() -> tuple[bytes, ...]:
    aliases = (Alias(2, "10.1.1.1", 32, is_marked=True), Alias(2, "fd00::1", 128, is_marked=True))
    changes = [Change(alias, is_new=True) for alias in aliases]
    asked = sockets.questions(PORTS)[0]
    return (
        *(messages.change_request(change, 1, wants_ack=True) for change in changes),
        messages.dump_request(messages.GET_ADDRESS, 1),
        links.request(1),
        sockets.request(asked, 1) + bytes(72),
        conntrack.dump_request(2, 1) + bytes(64),
        transactions.transaction(list(transactions.additions("vips", ("10.1.1.1", "fd00::1"))), 1),
        transactions.generation_request(1),
    )


def _readers() -> dict[str, Callable[[bytes], Any]]:
    """Everything that reads the body of a message."""
    questions = sockets.questions(PORTS)
    return {
        "errno": messages.errno_of,
        "alias": messages.alias_in,
        "neighbour": lambda body: messages.neighbour_in(body, 2),
        "host": messages.host_in,
        "listeners": lambda body: [list(sockets.listeners_in(q, body)) for q in questions],
        "source": lambda body: sockets.has_source(body, ADDRESSES),
        "concerns": lambda body: conntrack.concerns(body, ADDRESSES),
        "delete": lambda body: conntrack.delete_request(body, 1),
        "generation": transactions.generation_in,
        "pieces": lambda body: [transactions.piece_in(kind, WHERE, body) for kind in PIECES],
        "link": links.link_in,
        "relations": links.relations_in,
        "elements": lambda body: list(transactions.keys_in(body)),
    }


@target("netlink")
def netlink() -> Target:
    """A datagram of the kernel, read by everything that reads any."""
    readers = _readers()

    def check(data: bytes) -> str:
        messages.kind_of(data)
        understood = set()
        for message in messages.split(data):
            found = {name: read(message.body) for name, read in readers.items()}
            understood |= {name for name in ("alias", "host", "source", "concerns") if found[name]}
            understood |= {name for name in ("listeners",) if any(found[name])}
        return " ".join(sorted(understood)) or "nothing"

    return Target(check, _datagrams(), longest=8192)
