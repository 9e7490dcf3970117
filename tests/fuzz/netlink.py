"""Messages of netlink: the kernel does not lie, but another version may say more, or less."""

from collections.abc import Callable
from typing import Any

from duravip_agent.codec import (
    conntrack,
    netlink_messages,
    nf_tables,
    rtnetlink,
    sock_diag,
)
from duravip_agent.codec.rtnetlink import AddressChange
from duravip_agent.core.kernel_state import IfAddress
from fuzz.registry import Target, target

ADDRESSES = frozenset({b"\x0a\x01\x01\x01", bytes(15) + b"\1"})
WHERE = nf_tables.FENCE[0]
PIECES = (nf_tables.GET_TABLES, nf_tables.GET_CHAINS, nf_tables.GET_RULES)
PORTS = ("TCP/25", "UDP/53")


def _datagrams() -> tuple[bytes, ...]:
    aliases = (
        IfAddress(2, "10.1.1.1", 32, is_marked=True),
        IfAddress(2, "fd00::1", 128, is_marked=True),
    )
    changes = [AddressChange(alias, is_new=True) for alias in aliases]
    asked = sock_diag.queries(PORTS)[0]
    return (
        *(rtnetlink.change_request(change, 1, wants_ack=True) for change in changes),
        rtnetlink.dump_request(rtnetlink.GET_ADDRESS, 1),
        rtnetlink.links_request(1),
        sock_diag.request(asked, 1) + bytes(72),
        conntrack.dump_request(2, 1) + bytes(64),
        nf_tables.transaction(list(nf_tables.add_addresses("vips", ("10.1.1.1", "fd00::1"))), 1),
        nf_tables.generation_request(1),
    )


def _readers() -> dict[str, Callable[[bytes], Any]]:
    """Everything that reads the body of a message."""
    questions = sock_diag.queries(PORTS)
    return {
        "errno": netlink_messages.errno_of,
        "alias": rtnetlink.address_in,
        "host": rtnetlink.neighbour_in,
        "listeners": lambda body: [list(sock_diag.listeners_in(q, body)) for q in questions],
        "source": lambda body: sock_diag.has_source(body, ADDRESSES),
        "concerns": lambda body: conntrack.involves(body, ADDRESSES),
        "delete": lambda body: conntrack.delete_request(body, 1),
        "generation": nf_tables.generation_in,
        "pieces": lambda body: [nf_tables.object_in(kind, WHERE, body) for kind in PIECES],
        "link": rtnetlink.link_in,
        "relations": rtnetlink.relations_in,
        "elements": lambda body: list(nf_tables.keys_in(body)),
    }


@target("netlink")
def netlink() -> Target:
    """A datagram of the kernel, read by everything that reads any."""
    readers = _readers()

    def check(data: bytes) -> str:
        netlink_messages.kind_of(data)
        understood = set()
        for message in netlink_messages.split(data):
            found = {name: read(message.body) for name, read in readers.items()}
            understood |= {name for name in ("alias", "host", "source", "concerns") if found[name]}
            understood |= {name for name in ("listeners",) if any(found[name])}
        return " ".join(sorted(understood)) or "nothing"

    return Target(check, _datagrams(), longest=8192)
