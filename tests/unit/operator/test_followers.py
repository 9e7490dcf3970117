"""Who follows whom, and which addresses are elected together."""

from dataclasses import replace

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core.followers import AffinityGroups, build_groups, link_followers
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.snapshot import MoveRequest, Node, Snapshot, VipObject
from duravip_operator.core.topologies import build_blocks
from duravip_operator.core.units import Units, build_units
from unit.operator.admission_world import binding, duravip, topology

LEADER, FOLLOWER, OTHER = "10.1.1.9", "10.1.1.10", "10.1.1.2"


def linked(*vips: VipObject, namespaces: list[str] | None = None) -> Units:
    lan = topology(namespaces=namespaces) if namespaces else topology()
    blocks = build_blocks((lan,), "Segment")
    return link_followers(build_units(Snapshot(vips=vips, topologies=(lan,)), blocks))


def grouped(*vips: VipObject) -> AffinityGroups:
    nodes = {"n1": Node("n1", {"zone": "a"}), "n2": Node("n2", {"zone": "b"})}
    return build_groups(linked(*vips).units, SelectorIndex(nodes))


@pytest.mark.parametrize("target", ["out", LEADER])
def test_a_duravip_follows_a_binding_by_name_or_by_address(target: str) -> None:
    leader, follower = binding("mail/out", LEADER), duravip("mail/f", FOLLOWER, follow=target)
    unit = linked(leader, follower).units[FOLLOWER]
    assert (unit.leader, unit.managed, unit.electable) == (LEADER, True, True)


@pytest.mark.parametrize(
    ("leader", "why"),
    [
        (binding("mail/else", LEADER), "'out' is not a managed Binding or address"),
        (binding("web/out", LEADER), "'out' is not a managed Binding or address"),
        (binding("mail/out", LEADER, enableDuravip=False), "is not enabled, or is itself a"),
    ],
)
def test_what_cannot_be_followed_leaves_the_follower_without_an_owner(
    leader: VipObject, why: str
) -> None:
    unit = linked(leader, duravip("mail/f", FOLLOWER, follow="out")).units[FOLLOWER]
    assert unit.refusal is not None
    assert unit.refusal.reason is Reason.FOLLOW_INVALID
    assert why in unit.refusal.message
    assert not unit.electable


def test_two_objects_of_an_address_must_not_follow_different_leaders() -> None:
    unit = linked(
        binding("mail/out", LEADER),
        duravip("mail/f", FOLLOWER, follow="out"),
        duravip("mail/g", FOLLOWER, follow=OTHER),
        duravip("mail/o", OTHER),
    ).units[FOLLOWER]
    assert unit.refusal is not None
    assert f"another DuraVIP on {FOLLOWER} follows '{OTHER}'" in unit.refusal.message


def test_a_follower_of_another_namespace_is_broken_unless_both_may_share() -> None:
    leader, follower = duravip("mail/l", LEADER), duravip("web/f", FOLLOWER, follow=LEADER)
    broken = linked(leader, follower).units[FOLLOWER].broken
    assert broken is not None
    assert broken.reason is Reason.NAMESPACE_CONFLICT
    assert linked(leader, follower, namespaces=["mail", "web"]).units[FOLLOWER].leader == LEADER


def test_nobody_follows_its_own_address() -> None:
    alone = linked(duravip("mail/f", FOLLOWER, follow=FOLLOWER)).units[FOLLOWER]
    assert alone.refusal is not None
    assert alone.refusal.reason is Reason.FOLLOW_SAME_ADDRESS
    beside = linked(binding("mail/out", FOLLOWER), duravip("mail/f", FOLLOWER, follow="out"))
    assert beside.rejected["mail/f"].reason is Reason.FOLLOW_SAME_ADDRESS
    assert beside.units[FOLLOWER].electable, "the Binding is as good as before"


def test_a_leader_is_elected_with_its_followers_in_the_order_of_addresses() -> None:
    groups = grouped(
        duravip("mail/f", FOLLOWER, follow=LEADER),
        duravip("mail/o", OTHER, follow=LEADER),
        duravip("mail/l", LEADER),
    )
    (group,) = groups.by_leader.values()
    assert group.leader.address == LEADER
    assert [unit.address for unit in group.followers] == [OTHER, FOLLOWER]
    assert group.weight == 3
    assert groups.interchangeable == ()


def test_addresses_that_nothing_tells_apart_are_placed_as_one_set() -> None:
    asked = replace(
        duravip("mail/r", "10.1.1.4"), requests=(MoveRequest(1.0, "n1", releases=False),)
    )
    groups = grouped(
        duravip("mail/a", "10.1.1.1"),
        duravip("mail/b", "10.1.1.2"),
        duravip("mail/p", "10.1.1.3", preference="n1"),
        asked,
        duravip("mail/z", "10.1.1.5", nodeSelector={"zone": "a"}),
    )
    alike = {one.addresses for one in groups.interchangeable}
    assert alike == {
        frozenset({"10.1.1.1", "10.1.1.2"}), frozenset({"10.1.1.3"}), frozenset({"10.1.1.5"})
    }  # fmt: skip
    assert len(groups.by_leader) == 5
