"""The guard in nft's own language: what a guarded address lets in.

G1  Of what goes to a guarded address of this node, only packets that begin something, or belong to
    nothing that connection tracking knows, are looked at. Replies to the node's own connections
    and what is related to them pass, and so does a connection that was let in.
G2  ICMP passes, neighbour discovery with it, and what goes to an open port. All else is dropped,
    not refused: a connection that has moved here is not reset by the kernel, which never saw it.
G3  What is forwarded to the address's owner is none of our business: fib tells it from ours.

The chain stands after connection tracking (-200), which knows no state before, and before the
rules of kube-proxy and others (-100), which give packets another destination. It is part of the
fence's table, and never accepts anything: whoever flushes the table mutes the addresses too.

Protocols go by their numbers: nft looks names up in /etc/protocols, which a slim image has not.

A rule matches what may pass and the last one drops the rest, so a packet without ports, or one
that cannot be read, is dropped.
"""

import struct
from collections.abc import Iterable, Iterator
from string import Template

from duravip_agent.codec.nf_tables import INET, NftRequest, change_keys
from duravip_agent.codec.nft_ruleset import MAX_ELEMENTS, TABLE
from duravip_api.addresses import to_bytes
from duravip_api.guards import MOST_OPEN

GUARDED, OPEN = "guarded", "open"
"""The sets: one for IPv4 and one for IPv6."""

MAX_OPEN_ELEMENTS = 2 * MOST_OPEN
"""Size of a set: a transaction may replace all elements."""

_PROTOCOLS = {"TCP": 6, "UDP": 17}
_PORT = struct.Struct("=B3x")
_NUMBER = struct.Struct("!H2x")
_VERSION = {4: 4, 16: 6}
"""By the bytes of an address."""

OpenPort = tuple[str, str]
"""An address, and a port of it such as `TCP/25`."""

_CHAINS = Template("""\
table inet $table {
  set guarded4 { type ipv4_addr; size $most; }
  set guarded6 { type ipv6_addr; size $most; }
  set open4 { type ipv4_addr . inet_proto . inet_service; size $most_open; }
  set open6 { type ipv6_addr . inet_proto . inet_service; size $most_open; }
  chain guard4 {
    meta l4proto 1 return
    ip daddr . meta l4proto . th dport @open4 return
    counter drop
  }
  chain guard6 {
    meta l4proto 58 return
    ip6 daddr . meta l4proto . th dport @open6 return
    counter drop
  }
  chain guard {
    type filter hook prerouting priority -150; policy accept;
    ip daddr @guarded4 fib daddr type local ct state new,invalid,untracked jump guard4
    ip6 daddr @guarded6 fib daddr type local ct state new,invalid,untracked jump guard6
  }
}
""")


def guard_chains() -> str:
    """The guard, with empty sets, for a table of the fence that has none yet."""
    return _CHAINS.substitute(table=TABLE, most=MAX_ELEMENTS, most_open=MAX_OPEN_ELEMENTS)


def guarded_keys(addresses: Iterable[str]) -> dict[str, list[bytes]]:
    """Guarded addresses as the keys of elements, by the name of their set."""
    keys: dict[str, list[bytes]] = {}
    for address in addresses:
        key = to_bytes(address)
        keys.setdefault(f"{GUARDED}{_VERSION[len(key)]}", []).append(key)
    return keys


def open_keys(ports: Iterable[OpenPort]) -> dict[str, list[bytes]]:
    """Open ports as the keys of elements, by the name of their set."""
    keys: dict[str, list[bytes]] = {}
    for address, port in ports:
        protocol, _, number = port.partition("/")
        key = to_bytes(address)
        tail = _PORT.pack(_PROTOCOLS[protocol]) + _NUMBER.pack(int(number))
        keys.setdefault(f"{OPEN}{_VERSION[len(key)]}", []).append(key + tail)
    return keys


def changes(
    addresses: Iterable[str], ports: Iterable[OpenPort], *, is_new: bool
) -> Iterator[NftRequest]:
    """Put guarded addresses and open ports into their sets, or take them out.

    One that is not in its set cannot be taken out: the kernel refuses all changes then.
    """
    for name, keys in (*open_keys(ports).items(), *guarded_keys(addresses).items()):
        yield from change_keys(name, keys, ((INET, TABLE),), is_new=is_new)
