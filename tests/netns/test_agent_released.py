"""What the agent does about addresses that it has let go of, with a real API server."""

from collections.abc import Iterator

import pytest

from duravip_agent.codec.released_ruleset import TABLE
from netns.plumbed import PlumbedNode

VIP, OTHER = "10.1.1.1", "10.1.1.2"


@pytest.fixture
def released(node: PlumbedNode) -> Iterator[PlumbedNode]:
    yield node
    node.clean()
    node.machine.attempt(["nft", "delete", "table", "inet", TABLE])


def watched(node: PlumbedNode) -> set[str]:
    """Which of the addresses the node may not translate to."""
    text = node.machine.attempt(["nft", "list", "set", "inet", TABLE, "released4"]).stdout
    return {word for word in text.replace(",", " ").split() if word in {VIP, OTHER}}


def test_what_is_revoked_is_released_and_what_is_granted_again_is_not(
    released: PlumbedNode,
) -> None:
    node = released
    node.grant(VIP, OTHER)
    node.start()
    node.wait_served(VIP, OTHER)
    assert watched(node) == set()
    node.grant(OTHER)
    node.wait(lambda: VIP not in node.addresses())
    assert watched(node) == {VIP}
    node.grant(VIP, OTHER)
    node.wait_served(VIP, OTHER)
    node.wait(lambda: watched(node) == set())


def test_a_killed_agents_addresses_are_released_by_the_next_one(released: PlumbedNode) -> None:
    node = released
    node.grant(VIP, OTHER)
    agent = node.start()
    node.wait_served(VIP, OTHER)
    node.grant(OTHER)
    node.wait(lambda: watched(node) == {VIP})
    agent.kill()
    node.grant()
    node.start("--clean-slate=all")
    node.wait_acted()
    node.wait(lambda: OTHER not in node.addresses())
    assert watched(node) == {VIP, OTHER}


def test_an_agent_that_ends_leaves_what_keeps_the_node_silent_and_nothing_else(
    released: PlumbedNode,
) -> None:
    node = released
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    agent.terminate()
    assert agent.wait() == 0
    assert watched(node) == {VIP}
    assert node.machine.run(["nft", "list", "tables"]).split() == ["table", "inet", TABLE]
