"""When a node falls silent, and when it does not, as a client on the segment sees it."""

import time

from duravip_api.timing import DEAD_MAN, STRICT_HOLD
from netns.plumbed import PlumbedNode
from netns.threads import held_up

VIP, OTHER, V6 = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
SLACK = 0.12
"""What a busy machine, and the observer's pace, may add."""


def answers(node: PlumbedNode, address: str = VIP) -> bool:
    return node.lab.who_answers([address]).get(address) == "n1"


def test_the_node_of_a_killed_agent_falls_silent_in_time(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    agent = node.start()
    node.wait_served(VIP, V6)
    with node.lab.observe([VIP, V6]) as seen:
        time.sleep(0.2)
        killed = time.monotonic()
        agent.kill()
        time.sleep(1)
    for address in (VIP, V6):
        assert seen.sight.holdings[address][-1].last - killed < DEAD_MAN + SLACK
    assert {VIP, V6} <= node.addresses()  # there, and mute
    node.peer.is_quiet = True
    node.start()
    node.wait(lambda: node.status["served"] == [])
    assert not answers(node)
    node.peer.is_quiet = False
    node.wait_served(VIP, V6)
    assert answers(node)


def test_a_frozen_agent_falls_silent_and_does_not_speak_before_it_has_contact(
    node: PlumbedNode,
) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        stopped = time.monotonic()
        agent.stop()
        time.sleep(1)
        node.peer.is_quiet = True
        agent.resume()
        time.sleep(1)
        quiet_until = time.monotonic()
        node.peer.is_quiet = False
        node.wait(lambda: answers(node))
        time.sleep(0.2)
    outage = seen.sight.outage(VIP)
    assert outage
    assert outage.last_before - stopped < DEAD_MAN + SLACK
    assert outage.first_after
    assert quiet_until < outage.first_after < quiet_until + 2
    assert node.metric("lapses_total") >= 1


def test_a_loop_that_hangs_is_not_kept_alive_by_its_heart(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        hung = time.monotonic()
        with held_up(agent.pid):
            time.sleep(2)
            freed = time.monotonic()
            beats = [at for at, _ in node.peer.beats if at > hung]
        node.wait(lambda: answers(node))
        time.sleep(0.2)
    outage = seen.sight.outage(VIP)
    assert [at for at in beats if at > hung + 0.4]
    assert not [at for at in beats if at > hung + 0.4 + DEAD_MAN + SLACK], "it seems to live"
    assert outage
    assert outage.last_before - hung < 0.4 + DEAD_MAN + SLACK
    assert outage.first_after
    assert outage.first_after > freed


def test_without_contact_it_keeps_what_it_has(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    with node.lab.observe([VIP, V6]) as seen:
        node.peer.is_quiet = True
        time.sleep(STRICT_HOLD + 1)
    assert seen.sight.worst_gap() < 0.25
    assert seen.sight.owners() == {VIP: "n1", V6: "n1"}


def test_without_contact_nothing_new_is_taken(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    node.peer.is_quiet = True
    time.sleep(0.3)
    node.grant(VIP, OTHER)
    node.wait_acted()
    time.sleep(0.3)
    assert node.status["served"] == [VIP]
    assert not answers(node, OTHER)
    node.peer.is_quiet = False
    node.wait_served(VIP, OTHER, timeout=5)


def test_what_is_strictly_fenced_is_muted_when_contact_is_lost(node: PlumbedNode) -> None:
    strict = {"name": "eth1", "mask": 32, "granted": [VIP], "fencing": "Strict"}
    node.write({"epoch": 1, "interfaces": [strict]})
    node.start()
    node.wait_served(VIP)
    assert node.status["strict"] == ["eth1"]
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        lost = time.monotonic()
        node.peer.is_quiet = True
        node.wait_served(timeout=STRICT_HOLD + 1)
        time.sleep(0.1)
        back = time.monotonic()
        node.peer.is_quiet = False
        node.wait(lambda: answers(node))
        time.sleep(0.2)
    outage = seen.sight.outage(VIP)
    assert outage
    assert 2 < outage.last_before - lost < STRICT_HOLD
    assert outage.first_after
    assert outage.first_after < back + 2


def test_a_fence_that_somebody_flushes_is_built_again(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        for _ in range(3):
            time.sleep(0.3)
            node.machine.run(["nft", "flush", "ruleset"])
        time.sleep(0.7)
    assert seen.sight.worst_gap() < 1
    assert seen.sight.owners() == {VIP: "n1"}
    assert node.metric("fence_rebuilds_total") == 3
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        killed = time.monotonic()
        agent.kill()
        time.sleep(1)
    assert seen.sight.holdings[VIP][-1].last - killed < DEAD_MAN + SLACK
