"""The fence when others change its tables, or cards come and go."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_agent.kernel.fence import CHECK_BATCH
from duravip_agent.kernel.nftables import FenceError
from netns.fenced import CLIENT, VIP, VIP6
from netns.fenced_asking import ARP, Ear, connects
from netns.fenced_node import DEAD_MAN, FencedNode, fenced_node

NFT = shutil.which("nft") or "/usr/sbin/nft"
FOREIGN = "add table ip others; add chain ip others c { type filter hook input priority 0; }"


@pytest.fixture
def node() -> Iterator[FencedNode]:
    with fenced_node() as found:
        yield found


@pytest.mark.parametrize(
    "damage",
    [
        "flush ruleset",
        "delete table inet duravip",
        "delete table netdev duravip",
        "flush table inet duravip",
        "flush chain netdev duravip guarded_eth1",
        "flush chain inet duravip to4",
        "flush set inet duravip held4",
        "flush set netdev duravip held4",
        "flush set inet duravip vips4",
        "flush set netdev duravip vips4",
        "flush set inet duravip held6",
        "flush set netdev duravip vips6",
        f"delete element inet duravip held4 {{ {VIP} }}",
        f"delete element netdev duravip held4 {{ {VIP} }}",
        f"delete element inet duravip vips6 {{ {VIP6} }}",
        "delete chain netdev duravip guarded_eth1",
        "add table inet duravip { flags dormant; }",
        "add table netdev duravip { flags dormant; }",
        "add chain inet duravip outgoing { policy drop; }",
    ],
)
def test_damage_is_noticed_and_mended(node: FencedNode, damage: str) -> None:
    assert not node.fence.repair(), "nothing was damaged"
    node.fence.activate([VIP6])
    node.nft(damage)
    assert not node.fence.is_intact()
    assert node.fence.repair()
    assert node.fence.is_intact()
    assert not node.fence.repair()
    assert not node.answers(), "not until the next refresh"
    node.dead_man.feed()
    assert node.answers()
    node.fence.deactivate([VIP])
    assert not node.answers()
    assert not connects(node.world.client, VIP)


@pytest.mark.parametrize("call", ["activate", "deactivate", "unwatch"])
def test_a_change_to_tables_that_are_gone_makes_them_anew(node: FencedNode, call: str) -> None:
    node.nft("flush ruleset")
    getattr(node.fence, call)([VIP])
    assert node.fence.is_intact()
    node.dead_man.feed()
    assert node.answers() == (call != "deactivate")
    assert (VIP in node.fence.watched, VIP in node.fence.active) == (
        call != "unwatch",
        call == "activate",
    )


def test_the_work_of_others_is_no_damage(node: FencedNode) -> None:
    node.fence.repair()
    node.nft(FOREIGN)
    assert not node.fence.repair()
    assert node.answers()


def test_a_card_that_is_taken_out_and_put_in_again_is_still_guarded(node: FencedNode) -> None:
    node.world.unplug()
    node.fence.repair()
    node.world.plug()
    node.world.plumb(VIP)
    node.fence.add_interfaces(())
    node.dead_man.feed()
    ear = Ear(node.world.client, ARP)
    assert ear.asks(VIP, CLIENT)
    node.dead_man.mute()
    assert not ear.asks(VIP, CLIENT)
    ear.close()


def test_a_card_that_comes_later_is_guarded_from_then_on(node: FencedNode) -> None:
    node.fence.build([], DEAD_MAN)
    node.fence.activate([VIP])
    node.dead_man.mute()
    assert node.answers()
    node.fence.add_interfaces(["eth1"])
    assert not node.answers()
    node.dead_man.feed()
    assert node.answers()


def test_an_address_that_somebody_lets_speak_again_is_damage(node: FencedNode) -> None:
    node.fence.deactivate([VIP])
    node.fence.repair()
    for family in ("inet", "netdev"):
        node.nft(f"add element {family} duravip held4 {{ {VIP} }}")
        assert node.fence.repair()
        node.dead_man.feed()
        assert not node.answers()


def test_one_address_of_thousands_that_is_taken_out_is_missed_after_a_while(
    node: FencedNode,
) -> None:
    many = [f"10.1.{64 + i // 256}.{i % 256}" for i in range(1000)]
    node.fence.activate(many)
    node.fence.repair()
    node.nft(f"delete element inet duravip held4 {{ {many[777]} }}")
    looks = 1 + len(many) // CHECK_BATCH
    assert sum(node.fence.repair() for _ in range(looks + 1)) == 1


def test_a_dead_man_that_somebody_has_fixed_is_damage(node: FencedNode) -> None:
    for family in ("inet", "netdev"):
        node.nft(f"flush set {family} duravip alive; add element {family} duravip alive {{ 0 }}")
        node.fence.is_fed()
        assert node.fence.repair()
        assert not node.answers()
        node.dead_man.feed()
        assert node.answers()


NAMES = [
    "tap*0",
    "br*",
    "*",
    'a"b',
    "a\\b",
    "a;b",
    "a{b",
    "#1",
    "ü",
    "\x01z",
    os.fsdecode(b"b\xff"),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_card_may_be_called_whatever_the_kernel_allows(node: FencedNode, name: str) -> None:
    node.world.node.run("ip", "link", "set", "eth1", "down")
    node.world.node.run("ip", "link", "set", "eth1", "name", name)
    node.world.node.run("ip", "link", "set", name, "up")
    node.fence.add_interfaces(["eth1", name])
    assert not node.fence.unguarded
    assert answers_when_refreshed(node)
    node.dead_man.mute()
    assert not node.answers()
    node.fence.build([name], DEAD_MAN)
    assert not node.fence.unguarded
    node.fence.activate([VIP])
    assert not node.answers()
    assert answers_when_refreshed(node)


def answers_when_refreshed(node: FencedNode) -> bool:
    """Whether it does within a few seconds: a card that was just set up may need a moment."""
    for _ in range(100):
        node.dead_man.feed()
        if node.answers():
            return True
    return False


def test_cards_that_change_their_names_are_guarded_under_the_new_ones(node: FencedNode) -> None:
    node.world.node.ip(
        "link add eth2 type bridge",
        "link set eth1 down",
        "link set eth1 name eth3",
        "link set eth2 name eth1",
        "link set eth3 up",
    )
    node.fence.add_interfaces(["eth1", "eth3"])
    assert answers_when_refreshed(node)
    node.dead_man.mute()
    assert not node.answers()


def test_a_chain_that_went_with_its_card_is_no_damage(node: FencedNode) -> None:
    node.world.node.ip("link add eth2 type bridge")
    node.fence.add_interfaces(["eth1", "eth2"])
    node.world.node.ip("link del eth2")
    if "guarded_eth2" in rules(node):  # kernels before 6.17 have deleted it by now
        node.nft("delete chain netdev duravip guarded_eth2")
    assert not node.fence.repair()
    assert node.answers()
    node.world.node.ip("link add eth2 type bridge")
    node.fence.add_interfaces(["eth2"])
    assert "guarded_eth2" in rules(node)


def rules(node: FencedNode) -> str:
    """What is there of the fence's rules for cards."""
    return node.world.node.run("nft", "list", "table", "netdev", "duravip")


def test_a_card_that_nft_does_not_take_costs_itself_only(
    node: FencedNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nft"
    program.write_text(
        "#!/bin/sh\ntext=$(cat)\n"
        "case $text in *eth2*) echo 'Error: no such card' >&2; exit 1;; esac\n"
        f'echo "$text" | {NFT} -f -\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    node.world.node.ip("link add eth2 type bridge")
    node.fence.build(["eth1", "eth2"], DEAD_MAN)
    assert set(node.fence.unguarded) == {"eth2"}
    node.fence.activate([VIP])
    node.dead_man.feed()
    assert node.answers()
    node.dead_man.mute()
    assert not node.answers()
    node.world.node.ip("link del eth2")
    node.fence.add_interfaces([])
    assert not node.fence.unguarded


def test_what_cannot_be_mended_holds_nothing_until_it_can(
    node: FencedNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        node.world.node.run(NFT, "flush", "ruleset")
        with pytest.raises(FenceError):
            node.fence.repair()
        assert not node.fence.is_fenced
        assert not node.fence.active
        assert "nft" in node.fence.problem
        node.fence.deactivate([VIP])
        with pytest.raises(FenceError):
            node.fence.activate([VIP])
    while not node.fence.repair():
        assert node.fence.problem
    assert node.fence.is_fenced
    node.dead_man.feed()
    assert not node.answers()
    node.fence.activate([VIP])
    assert node.answers()
