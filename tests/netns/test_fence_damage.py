"""The fence when others change its tables, or cards come and go."""

from collections.abc import Iterator

import pytest

from netns.fenced import CLIENT, VIP
from netns.fenced_asking import ARP, Ear, connects
from netns.fenced_node import DEAD_MAN, FencedNode, fenced_node

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
    ],
)
def test_damage_is_noticed_and_mended(node: FencedNode, damage: str) -> None:
    assert not node.fence.mend(), "nothing was damaged"
    node.nft(damage)
    assert not node.fence.is_intact()
    assert node.fence.mend()
    assert node.fence.is_intact()
    assert not node.fence.mend()
    assert not node.answers(), "not until the next refresh"
    node.dead_man.refresh()
    assert node.answers()
    node.fence.release([VIP])
    assert not node.answers()
    assert not connects(node.world.client, VIP)


@pytest.mark.parametrize("call", ["take", "release", "forget"])
def test_a_change_to_tables_that_are_gone_makes_them_anew(node: FencedNode, call: str) -> None:
    node.nft("flush ruleset")
    getattr(node.fence, call)([VIP])
    assert node.fence.is_intact()
    node.dead_man.refresh()
    assert node.answers() == (call != "release")
    assert (VIP in node.fence.vips, VIP in node.fence.held) == (
        call != "forget",
        call == "take",
    )


def test_the_work_of_others_is_no_damage(node: FencedNode) -> None:
    node.fence.mend()
    node.nft(FOREIGN)
    assert not node.fence.mend()
    assert node.answers()


def test_a_card_that_is_taken_out_and_put_in_again_is_still_guarded(node: FencedNode) -> None:
    node.world.unplug()
    node.fence.mend()
    node.world.plug()
    node.world.plumb(VIP)
    node.fence.guard(())
    node.dead_man.refresh()
    ear = Ear(node.world.client, ARP)
    assert ear.asks(VIP, CLIENT)
    node.dead_man.mute()
    assert not ear.asks(VIP, CLIENT)
    ear.close()


def test_a_card_that_comes_later_is_guarded_from_then_on(node: FencedNode) -> None:
    node.fence.build([], DEAD_MAN)
    node.fence.take([VIP])
    node.dead_man.mute()
    assert node.answers()
    node.fence.guard(["eth1"])
    assert not node.answers()
    node.dead_man.refresh()
    assert node.answers()
