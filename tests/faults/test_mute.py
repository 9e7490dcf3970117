"""Nodes whose addresses nobody hears, though their agents are well: others have them meanwhile."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from faults.expected import (
    ADDRESSES,
    SOON,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from lab.cluster import Lab
from lab.fleet import Fleet

HOOK = "type route hook output priority -150;"
EARLY = "type filter hook output priority -500;"
TROUBLES = {
    "refreshes are marked": (
        [f"nft add table ip q {{ chain o {{ {HOOK} meta mark set 0x64; }}; }}"],
        ["nft delete table ip q"],
    ),
    "refreshes are dropped": (
        [f"nft add table ip q {{ chain o {{ {EARLY} udp dport 9 drop; }}; }}"],
        ["nft delete table ip q"],
    ),
    "the card became a port": (
        [
            "ip link add br0 type bridge",
            "ip link set eth1 master br0",
            "ip link set br0 up",
            "sysctl -qw net.ipv4.conf.all.arp_ignore=1",
        ],
        ["ip link del br0", "sysctl -qw net.ipv4.conf.all.arp_ignore=0"],
    ),
    "arp_ignore is 8": (
        ["sysctl -qw net.ipv4.conf.eth1.arp_ignore=8"],
        ["sysctl -qw net.ipv4.conf.eth1.arp_ignore=0"],
    ),
}


@contextmanager
def done(lab: Lab, do: Sequence[str], undo: Sequence[str]) -> Iterator[None]:
    """Something that is done to the third node, and undone."""
    try:
        for line in do:
            lab.machines["n3"].run(line.split())
        yield
    finally:
        for line in undo:
            lab.machines["n3"].run(line.split())


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_addresses_of_a_node_that_nobody_hears_move_and_come_back(
    lab: Lab, fleet: Fleet, trouble: str
) -> None:
    with lab.observe(ADDRESSES) as seen:
        with done(lab, *TROUBLES[trouble]):
            when = time.monotonic()
            moved(fleet)
            time.sleep(0.5)
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < SOON
    assert_others_undisturbed(seen.sight)


def test_a_card_with_an_odd_name_changes_nothing(lab: Lab, fleet: Fleet) -> None:
    home(fleet)
    odd = ["ip link add tap*0 type bridge", "ip link set tap*0 up"]
    with lab.observe(ADDRESSES) as seen, done(lab, odd, ["ip link del tap*0"]):
        time.sleep(3)
    assert_one_owner(seen.sight)
    assert [held.machine for held in seen.sight.holdings[VICTIM]] == ["n3"]
