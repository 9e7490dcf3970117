"""What the fence mutes, and what it leaves alone, on a real kernel and with real packets."""

from collections.abc import Callable, Iterator

import pytest

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.watchdog import WatchdogSocket
from netns.fenced import MOVED, VIP, VIP6, world
from netns.fenced_traffic import Traffic

OURS = (VIP, VIP6)
MUTED = [
    Traffic.arp,
    Traffic.arp_probe,
    Traffic.solicitation,
    Traffic.solicitation_for_detection,
    Traffic.gratuitous_arp,
    Traffic.gratuitous_arp_reply,
    Traffic.advertisement,
    Traffic.ping,
    Traffic.ping6,
    Traffic.tcp,
    Traffic.tcp6,
    Traffic.tcp_to_a_pod,
    Traffic.tcp_from_a_pod,
    Traffic.tcp_from_the_node,
    Traffic.udp_from_a_program,
]
UNTOUCHED = [Traffic.nodes_own_addresses, Traffic.forwarded, Traffic.to_another_node]


class Scene:
    """The traffic, and the fence that it meets."""

    def __init__(self, traffic: Traffic, fence: Fence, dead_man: WatchdogSocket) -> None:
        self.traffic, self.fence, self.dead_man = traffic, fence, dead_man

    def passes(self, kind: Callable[[Traffic], bool], *, alive: bool, held: bool) -> bool:
        """Whether this traffic gets through."""
        if held:
            self.fence.activate(OURS)
        else:
            self.fence.deactivate(OURS)
        if alive:
            self.dead_man.feed()
        else:
            self.dead_man.mute()
        return kind(self.traffic)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with world() as made:
        made.plumb(VIP, VIP6)
        traffic = Traffic(made)
        with made.node.entered():
            fence, dead_man = Fence(), WatchdogSocket()
            fence.build(["eth1"], 5.0)
            fence.activate([MOVED])
            yield Scene(traffic, fence, dead_man)
            fence.close()
            dead_man.close()
        traffic.close()


@pytest.mark.parametrize("kind", MUTED, ids=lambda kind: kind.__name__)
def test_it_passes_only_for_what_is_held_by_a_living_agent(
    scene: Scene, kind: Callable[[Traffic], bool]
) -> None:
    assert scene.passes(kind, alive=True, held=True)
    assert not scene.passes(kind, alive=False, held=True)
    assert scene.passes(kind, alive=True, held=True)
    assert not scene.passes(kind, alive=True, held=False)
    assert not scene.passes(kind, alive=False, held=False)


@pytest.mark.parametrize("kind", UNTOUCHED, ids=lambda kind: kind.__name__)
def test_other_addresses_are_left_alone(scene: Scene, kind: Callable[[Traffic], bool]) -> None:
    assert scene.passes(kind, alive=True, held=True)
    assert scene.passes(kind, alive=False, held=False)


def test_the_rules_of_others_are_left_alone(scene: Scene) -> None:
    before = scene.traffic.rules_of_others()
    assert "dnat to" in before
    scene.fence.build(["eth1"], 5.0)
    assert scene.traffic.rules_of_others() == before
