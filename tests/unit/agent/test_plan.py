"""What the agent changes in the kernel, and what it never touches."""

from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.plan import make_plan

ETH0 = Link(2, "eth0", is_up=True, has_carrier=True)
ETH1 = Link(3, "eth1", is_up=True, has_carrier=True)
DOWN = Link(4, "eth2")
HERE = Placement("eth0", 32)
VIP = "10.1.1.1"


def ours(address: str = VIP, link: int = 2, mask: int = 32) -> IfAddress:
    return IfAddress(link, address, mask, is_marked=True)


def foreign(address: str = VIP, link: int = 2) -> IfAddress:
    return IfAddress(link, address, 24, is_marked=False)


def world(*aliases: IfAddress) -> KernelState:
    return KernelState((ETH0, ETH1, DOWN), aliases)


def test_what_is_granted_and_missing_is_added() -> None:
    assert make_plan({VIP: HERE}, world(), {}).add == (ours(),)


def test_what_is_there_as_granted_is_left_alone() -> None:
    plan = make_plan({VIP: HERE}, world(ours()), {})
    assert (plan.add, plan.delete, plan.failures) == ((), (), {})


def test_what_is_ours_and_not_granted_is_deleted() -> None:
    assert make_plan({}, world(ours()), {}).delete == (ours(),)


def test_the_wrong_mask_or_interface_is_replaced() -> None:
    for wrong in (ours(mask=24), ours(link=3)):
        plan = make_plan({VIP: HERE}, world(wrong), {})
        assert (plan.delete, plan.add) == ((wrong,), (ours(),))


def test_an_address_without_our_mark_is_a_failure_and_stays() -> None:
    plan = make_plan({VIP: HERE}, world(foreign(link=3)), {})
    assert (plan.add, plan.delete) == ((), ())
    assert "eth1 already, not put there by DuraVIP" in plan.failures[VIP]


def test_a_missing_interface_is_named() -> None:
    plan = make_plan({VIP: Placement("eth9", 32)}, world(), {})
    assert plan.failures == {VIP: "the node has no interface eth9"}


def test_on_an_interface_that_is_down_nothing_is_added_and_nothing_of_it_is_deleted() -> None:
    plan = make_plan({VIP: Placement("eth2", 32)}, world(), {})
    assert (plan.add, plan.failures) == ((), {VIP: "the interface eth2 is down"})
    there = ours(link=4)
    assert make_plan({VIP: Placement("eth2", 32)}, world(there), {}).delete == ()


def test_what_waits_for_its_next_try_is_a_failure_until_then() -> None:
    plan = make_plan({VIP: HERE}, world(), {VIP: "no buffer space"})
    assert (plan.add, plan.failures) == ((), {VIP: "no buffer space"})


ADDRESSES = st.sampled_from([f"10.1.1.{n}" for n in range(1, 7)])
ALIASES = st.frozensets(
    st.builds(
        IfAddress, st.sampled_from([2, 3]), ADDRESSES, st.sampled_from([24, 32]), st.booleans()
    )
)


@given(ALIASES, st.dictionaries(ADDRESSES, st.sampled_from(["eth0", "eth1", "eth2", "eth9"])))
def test_after_a_step_exactly_the_granted_and_possible_is_ours(
    aliases: frozenset[IfAddress], where: dict[str, str]
) -> None:
    wanted = {address: Placement(name, 32) for address, name in where.items()}
    plan = make_plan(wanted, world(*aliases), {})
    assert all(alias.is_marked for alias in plan.delete)
    after = (aliases - set(plan.delete)) | set(plan.add)
    held = {alias.address for alias in after if alias.is_marked}
    assert held | plan.failures.keys() == wanted.keys() | held & plan.failures.keys()
    assert held <= wanted.keys()
    assert not make_plan(wanted, world(*after), {}).add
