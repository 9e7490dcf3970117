"""What follows an address is plumbed after it, and removed before it."""

from dataclasses import replace

from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_spec import parse_node_spec
from duravip_agent.core.plan import make_plan
from duravip_agent.kernel.address_manager import AddressManager, order_of
from duravip_agent.metrics import Metrics
from duravip_operator.core import nodeplumbing_spec
from duravip_operator.core.handover import Plan
from duravip_operator.core.snapshot import Placement

ETH0, ETH1 = Placement("eth0", 32), Placement("eth1", 32)
LINKS = (
    Link(2, "eth0", is_up=True, has_carrier=True),
    Link(3, "eth1", is_up=True, has_carrier=True),
)
FOLLOWER, LEADER, OTHER = "10.1.1.1", "10.2.1.1", "10.2.1.9"
PLAN = Plan({ETH0: frozenset({FOLLOWER}), ETH1: frozenset({LEADER, OTHER})})


def granted(*followers: str) -> list[str]:
    spec = nodeplumbing_spec.build(replace(PLAN, followers=frozenset(followers)), 1, ())
    assert spec["grantedCount"] == 3
    body = {"metadata": {"resourceVersion": "1"}, "spec": spec}
    return list(parse_node_spec(body).wanted)


def test_the_spec_names_followers_last() -> None:
    assert granted() == [FOLLOWER, LEADER, OTHER]
    assert granted(FOLLOWER) == [LEADER, OTHER, FOLLOWER]
    assert granted(FOLLOWER, LEADER) == [OTHER, FOLLOWER, LEADER]


def test_addresses_are_added_in_the_order_of_the_spec() -> None:
    body = {
        "metadata": {"resourceVersion": "1"},
        "spec": nodeplumbing_spec.build(replace(PLAN, followers=frozenset({FOLLOWER})), 1, ()),
    }
    plan = make_plan(parse_node_spec(body).wanted, KernelState(LINKS), {})
    assert [alias.address for alias in plan.add] == [LEADER, OTHER, FOLLOWER]


class Kernel:
    """Has both, in an order of its own."""

    def read_state(self, *, with_links: bool) -> KernelState:
        del with_links
        aliases = [(2, FOLLOWER), (3, LEADER), (3, OTHER)]
        return KernelState(
            LINKS, tuple(IfAddress(link, a, 32, is_marked=True) for link, a in aliases)
        )


def test_what_came_last_goes_first_also_when_nothing_is_wanted_any_more() -> None:
    plumber = AddressManager(Kernel(), Metrics("1"))  # type: ignore[arg-type]
    plumber.read_kernel(with_links=True)
    body = {
        "metadata": {"resourceVersion": "1"},
        "spec": nodeplumbing_spec.build(replace(PLAN, followers=frozenset({FOLLOWER})), 1, ()),
    }
    wanted = parse_node_spec(body).wanted
    assert plumber.plan(wanted, 0.0).delete == ()
    gone = plumber.plan({}, 1.0).delete
    assert [alias.address for alias in gone] == [FOLLOWER, OTHER, LEADER]


def test_only_what_is_still_there_is_remembered() -> None:
    before = {LEADER: 0, OTHER: 1}
    assert order_of([FOLLOWER], before, frozenset({OTHER})) == {OTHER: 1, FOLLOWER: 0}
