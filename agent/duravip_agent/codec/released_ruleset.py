"""nft rules for released addresses: this node must send nothing from them any more.

Once the alias is gone, the fence cannot tell what the node itself sends with such an address as
source from what it forwards for the new owner: `fib saddr type local` is false for both.
Connection tracking can. A packet gets its source *on this node* in two cases only: SNAT of what a
connection's originator sends, and the reverse of DNAT for the replies to it.

R1  What is translated to a released address by SNAT is dropped, wherever it goes.
R2  A reply that gets a released address back by the reverse of DNAT is dropped where it leaves by
    a network interface on which addresses live. Pods of this node whose packets to the new owner
    are translated here, as kube-proxy does it on every node, are reached by other interfaces.
R3  What a program of this node sends with a released address as source is dropped at these
    interfaces.
R4  Where the node has the address again, whoever gave it to it, nothing of this applies.

What is only forwarded passes: the source of the new owner's packets is not of this node's making,
and in the replies to masqueraded packets it is the destination that is translated.
The table is separate from the fence's: it must outlive a rebuilt fence, and the agent itself.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from string import Template

from duravip_agent.codec.nf_tables import (
    INET,
    NftRequest,
    add_keys,
    element_changes,
)
from duravip_agent.codec.nft_ruleset import elements

TABLE = "duravip_released"
TABLES = ((INET, TABLE),)

RELEASED = "released"
"""The sets: one for IPv4 and one for IPv6."""

INTERFACES = "cards"
"""The set of the names of network interfaces."""

KEPT_S = 3600
"""How long a released address stays in the set: neighbour caches and connections are over then."""

MAX_ELEMENTS = 32768
"""Size of a set."""

_NAME_BYTES = 16
"""An interface's name, with the zeros that fill it up, in a set of names."""

_TEXT = Template("""\
add table inet $table
delete table inet $table
table inet $table {
  set released4 { type ipv4_addr; size $most; flags timeout; timeout ${kept}s; $released4 }
  set released6 { type ipv6_addr; size $most; flags timeout; timeout ${kept}s; $released6 }
  set cards { type ifname; size 4096; }
  chain sent {
    type filter hook output priority 310; policy accept;
    ip saddr @released4 oifname @cards fib saddr type != local counter drop
    ip6 saddr @released6 oifname @cards fib saddr type != local counter drop
  }
  chain translated {
    type filter hook postrouting priority 310; policy accept;
    ip saddr @released4 fib saddr type != local jump former
    ip6 saddr @released6 fib saddr type != local jump former
  }
  chain former {
    ct direction original ct status snat counter drop
    ct direction reply ct status dnat oifname @cards counter drop
  }
}
""")


def table(addresses: Collection[str]) -> str:
    """The table anew, without any interface, in place of one that is there: text for nft."""
    return _TEXT.substitute(
        table=TABLE,
        most=MAX_ELEMENTS,
        kept=KEPT_S,
        released4=elements(addresses, 4),
        released6=elements(addresses, 6),
    )


def add_interfaces(cards: Iterable[str]) -> Iterator[NftRequest]:
    """Put the names of network interfaces into their set: any name that the kernel allows."""
    names = (card.encode(errors="surrogateescape") for card in sorted(cards))
    keys = (name.ljust(_NAME_BYTES, b"\0") for name in names)
    return add_keys(INTERFACES, keys, (INET, TABLE))


def interface_name(key: bytes) -> str:
    """The name that an element of the set of interfaces stands for."""
    return key.rstrip(b"\0").decode(errors="surrogateescape")


def add_addresses(addresses: Collection[str]) -> Iterator[NftRequest]:
    """Put addresses into the sets for the whole time, whether they are in them or not.

    An element that is there keeps its time when it is only added: so it is taken out in between.
    """
    add, delete = (_changes(addresses, is_new=is_new) for is_new in (True, False))
    return chain(add, delete, _changes(addresses, is_new=True))


def remove_addresses(addresses: Collection[str]) -> Iterator[NftRequest]:
    """Take addresses out of the sets: one that has expired meanwhile would be refused."""
    return chain(_changes(addresses, is_new=True), _changes(addresses, is_new=False))


def _changes(addresses: Collection[str], *, is_new: bool) -> Iterator[NftRequest]:
    return element_changes(RELEASED, addresses, is_new=is_new, tables=TABLES)
