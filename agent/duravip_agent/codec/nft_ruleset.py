"""The fence in nft's own language: two tables that stand between an address of ours and the world.

F1  Only what goes to or from an address in `vips` is looked at: those that we have plumbed, or
    are about to.
F2  It passes only while `alive` has its element and the address is in `held`. Fail-closed: what an
    agent that died has left behind is mute.
F3  The element is there for the watchdog's time after each datagram on lo that carries the mark
    FEED_MARK, and goes at once with one that carries MUTE_MARK. No transaction is needed for it:
    those wait for other programs', for seconds where one of them replaces thousands of rules.
F4  Nothing is ever accepted here, so no rule of anybody else is overruled.

Two tables, because no family sees everything. `inet` sees packets; an address that fib does not
find on this node is none of our business, so what is forwarded to its owner passes. `netdev` sees
what leaves a network interface: ARP, and the announcements that we write to raw sockets ourselves.
Whether the element is there must be asked with some value of the packet; `mark & 0` is always 0.
"""

from collections.abc import Collection, Iterable
from string import Template

from duravip_api.addresses import to_int

TABLE = "duravip"
"""The name of both tables."""

FEED_MARK, MUTE_MARK = 0x56495044, 0x56495045
"""Marks of the datagrams that tell the fence that the agent lives, and that it must not speak."""

FEED_DESTINATION = ("127.0.0.1", 9)
"""Where they are sent; nothing has to listen there, since they never arrive."""

MAX_ELEMENTS = 32768
"""Size of a set: twice what a node may be granted."""

_GUARDED = "guarded_"
"""The name of an interface's chain begins with it."""

_TABLES = Template("""\
add table netdev $table
delete table netdev $table
add table inet $table
delete table inet $table
table netdev $table {
  set alive { type mark; size 65535; flags dynamic,timeout; }
  set vips4 { type ipv4_addr; size $most; $vips4 }
  set vips6 { type ipv6_addr; size $most; $vips6 }
  set held4 { type ipv4_addr; size $most; }
  set held6 { type ipv6_addr; size $most; }
  chain refresh {
    type filter hook egress device "lo" priority 0; policy accept;
    meta mark $refresh $there update @alive { meta mark & 0 timeout ${timeout}ms } drop
    meta mark $mute $there delete @alive { meta mark & 0 } drop
  }
  chain arp_from {
    meta mark & 0 != @alive counter drop
    arp saddr ip != @held4 counter drop
  }
  chain nd_from {
    meta mark & 0 != @alive counter drop
    ip6 saddr != @held6 counter drop
  }
}
table inet $table {
  set alive { type mark; size 65535; flags dynamic,timeout; }
  set vips4 { type ipv4_addr; size $most; $vips4 }
  set vips6 { type ipv6_addr; size $most; $vips6 }
  set held4 { type ipv4_addr; size $most; }
  set held6 { type ipv6_addr; size $most; }
  chain refresh {
    type filter hook output priority -400; policy accept;
    meta mark $refresh oifname "lo" $there notrack update @alive { meta mark & 0 timeout ${timeout}ms }
    meta mark $mute oifname "lo" $there notrack delete @alive { meta mark & 0 }
  }
  chain incoming {
    type filter hook prerouting priority -310; policy accept;
    ip daddr @vips4 fib daddr type local jump to4
    ip6 daddr @vips6 fib daddr type local jump to6
  }
  chain outgoing {
    type filter hook output priority -310; policy accept;
    ip saddr @vips4 jump from4
    ip6 saddr @vips6 jump from6
  }
  chain translated {
    type filter hook postrouting priority 310; policy accept;
    ip saddr @vips4 fib saddr type local jump from4
    ip6 saddr @vips6 fib saddr type local jump from6
  }
  chain to4 {
    meta mark & 0 != @alive counter drop
    ip daddr != @held4 counter drop
  }
  chain to6 {
    meta mark & 0 != @alive counter drop
    ip6 daddr != @held6 counter drop
  }
  chain from4 {
    meta mark & 0 != @alive counter drop
    ip saddr != @held4 counter drop
  }
  chain from6 {
    meta mark & 0 != @alive counter drop
    ip6 saddr != @held6 counter drop
  }
}
""")  # noqa: E501 - a rule is one line

_INTERFACE_CHAIN = Template("""\
add chain netdev $table $chain { type filter hook egress device "$device" priority 0; policy accept; }
""")  # noqa: E501 - the same

_INTERFACE_RULES = Template("""\
flush chain netdev $table $chain
add rule netdev $table $chain arp saddr ip @vips4 jump arp_from
add rule netdev $table $chain icmpv6 type nd-neighbor-advert ip6 saddr @vips6 jump nd_from
""")


def fence_tables(interfaces: Iterable[str], vips: Collection[str], watchdog_timeout: float) -> str:
    """Both tables anew, in place of any that are there: all of `vips` are mute from here."""
    host, port = FEED_DESTINATION
    fixed = _TABLES.substitute(
        table=TABLE,
        most=MAX_ELEMENTS,
        refresh=f"{FEED_MARK:#x}",
        mute=f"{MUTE_MARK:#x}",
        there=f"ip daddr {host} udp dport {port}",
        timeout=round(watchdog_timeout * 1000),
        vips4=elements(vips, 4),
        vips6=elements(vips, 6),
    )
    return fixed + interface_chains(interfaces)


def interface_chains(interfaces: Iterable[str]) -> str:
    """Guard what leaves by these interfaces, of which some may be guarded already."""
    return "".join(
        _INTERFACE_CHAIN.substitute(table=TABLE, chain=chain_name(device), device=device)
        + interface_rules(device)
        for device in sorted(interfaces)
    )


def interface_rules(interface: str) -> str:
    """What stands in an interface's chain, which has been made already."""
    return _INTERFACE_RULES.substitute(table=TABLE, chain=chain_name(interface))


def is_nameable(interface: str) -> bool:
    """Whether an interface's name can be written down here: some characters mean something.

    A chain for any other one is made without nft (`transactions.guard`).
    """
    return bool(interface) and interface.isprintable() and not set(interface) & set('"*\\')


def chain_name(interface: str) -> str:
    """The name of an interface's chain, in which nft allows letters, digits and few others."""
    letters = (c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in interface)
    return _GUARDED + "".join(letters)


def is_interface_chain(chain: str) -> bool:
    """Whether this is the name of an interface's chain."""
    return chain.startswith(_GUARDED)


def elements(addresses: Collection[str], family: int) -> str:
    """The addresses of one IP version as the elements of a set."""
    members = sorted(a for a in addresses if to_int(a)[0] == family)
    return f"elements = {{ {', '.join(members)} }};" if members else ""
