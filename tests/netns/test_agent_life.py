"""Starting, ending, dying and coming back: what is left on the kernel, and what is said."""

import json
import time
from collections.abc import Iterator

import pytest

from duravip_agent.shutdown import NEXT_LEADER_TIMEOUT_S, TAKEOVER_TIMEOUT_S
from duravip_api.timing import CONTACT
from lab.processes import Process
from netns.plumbed import PATIENCE, PlumbedNode

VIP, OTHER = "10.1.1.1", "10.1.1.2"


@pytest.fixture
def deletions(node: PlumbedNode) -> Iterator[Process]:
    """What the kernel says of addresses, from now on."""
    log = node.machine.folder / f"monitor-{time.monotonic_ns()}.log"
    monitor = node.machine.spawn(["ip", "monitor", "address"], log)
    yield monitor
    monitor.kill()


def test_asked_to_stop_it_withdraws_reports_and_ends_within_two_seconds(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    began = time.monotonic()
    agent.terminate()
    assert agent.wait() == 0
    assert time.monotonic() - began < 2
    assert VIP not in node.addresses()
    assert (node.reason, node.status["served"]) == ("AgentStopped", [])
    assert node.is_acted()


def test_asked_to_stop_it_serves_on_until_what_it_has_is_taken_away(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    agent.terminate()
    node.wait(lambda: node.reason == "AgentStopping")
    assert VIP in node.addresses()
    assert node.status["served"] == [VIP]
    node.grant()
    revoked = time.monotonic()
    assert agent.wait() == 0
    assert time.monotonic() - revoked < TAKEOVER_TIMEOUT_S
    assert (node.reason, node.status["served"]) == ("AgentStopped", [])


def test_asked_twice_or_heard_by_nobody_it_ends_at_once(node: PlumbedNode) -> None:
    for times, knows in ((2, True), (1, False)):
        node.grant(VIP)
        agent = node.start()
        node.wait_served(VIP)
        if not knows:
            node.peer.is_quiet = True
            time.sleep(NEXT_LEADER_TIMEOUT_S + CONTACT)
        began = time.monotonic()
        for _ in range(times):
            agent.terminate()
            time.sleep(0.02)  # two signals of a kind that come together are one
        assert agent.wait() == 0
        assert time.monotonic() - began < TAKEOVER_TIMEOUT_S


def test_when_leadership_may_be_changing_hands_it_serves_on_for_a_while(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    node.peer.is_quiet = True
    time.sleep(2 * CONTACT)
    began = time.monotonic()
    agent.terminate()
    node.wait(lambda: node.reason == "AgentStopping")
    assert VIP in node.addresses()
    assert agent.wait() == 0
    assert time.monotonic() - began >= TAKEOVER_TIMEOUT_S


def test_it_ends_in_time_when_the_api_server_hangs(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    server = node.lab.control_plane.api_server
    server.stop()
    try:
        began = time.monotonic()
        agent.terminate()
        assert agent.wait() == 0
        assert time.monotonic() - began < 2
        assert VIP not in node.addresses()
    finally:
        server.resume()


def test_after_a_kill_it_removes_what_is_not_granted_any_more_and_keeps_the_rest(
    node: PlumbedNode, deletions: Process
) -> None:
    node.grant(VIP, OTHER)
    first = node.start()
    node.wait_served(VIP, OTHER)
    boot = node.status["agent"]["boot"]
    first.kill()
    assert {VIP, OTHER} <= node.addresses()
    node.grant(OTHER)
    node.start()
    node.wait(lambda: node.status["agent"]["boot"] != boot and node.is_acted())
    node.wait_served(OTHER)
    assert VIP not in node.addresses()
    assert f"Deleted 3: eth1    inet {OTHER}/32" not in deletions.output()
    assert f"inet {VIP}/32" in deletions.output()


def test_with_a_clean_slate_of_all_everything_is_removed_first(
    node: PlumbedNode, deletions: Process
) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    agent.kill()
    node.start("--clean-slate=all")
    node.wait(lambda: "Deleted" in deletions.output())
    node.wait(lambda: VIP in node.addresses())


def test_at_start_it_first_says_that_it_has_acted_on_nothing(node: PlumbedNode) -> None:
    node.grant(VIP)
    first = node.start()
    node.wait_acted()
    first.kill()
    before = node.read()
    node.start()
    node.wait(lambda: node.status["agent"] != before["status"]["agent"] and node.is_acted())
    starting, *_, ready = node.history(before["metadata"]["resourceVersion"])
    assert "observedGeneration" not in starting
    assert starting["conditions"][0]["reason"] == "AgentStarting"
    assert starting["served"] == []  # it is there, and mute
    assert ready["conditions"][0]["reason"] == "AgentReady"


def test_what_it_cannot_prove_at_start_it_does_not_hold(node: PlumbedNode) -> None:
    node.grant(VIP)
    first = node.start()
    node.wait_served(VIP)
    first.kill()
    server = node.lab.control_plane.api_server
    server.stop()
    try:
        node.start()
        node.wait(lambda: VIP not in node.addresses())
    finally:
        server.resume()
    node.wait(lambda: VIP in node.addresses())
    node.wait_served(VIP)


def test_a_second_agent_does_not_start(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    second = node.start("--http-listen=127.0.0.1:9482")
    assert second.wait(PATIENCE) == 2
    assert second.output().count("\n") == 1
    assert "another duravip-agent runs" in second.output()
    assert VIP in node.addresses()


def test_without_permission_it_says_so_withdraws_and_ends(node: PlumbedNode) -> None:
    node.grant(VIP)
    first = node.start()
    node.wait_served(VIP)
    first.kill()
    node.lab.kubectl("create", "serviceaccount", "nobody", "-n", "default")
    agent = node.start(kubeconfig=node.lab.account_kubeconfig("default", "nobody"))
    assert agent.wait(PATIENCE) == 2
    last = agent.output().splitlines()[-1]
    assert last.startswith("duravip-agent: no permission to read and report on the NodePlumbing")
    assert "Traceback" not in agent.output()
    assert VIP not in node.addresses()


def test_a_deleted_object_changes_nothing_until_a_new_one_comes(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    node.delete()
    node.wait(lambda: "was deleted" in agent.output())
    assert VIP in node.addresses()
    node.grant(VIP, OTHER)
    node.wait_served(VIP, OTHER)
    node.wait_acted()


def test_the_spec_of_a_former_leader_is_refused_and_the_next_one_taken(node: PlumbedNode) -> None:
    node.grant(VIP, epoch=5)
    node.start()
    node.wait_served(VIP)  # the segment is asked first: to have acted is not yet to serve
    node.grant(OTHER, epoch=4)
    node.wait(lambda: node.reason == "SpecRefused")
    assert not node.is_acted()
    assert node.status["epoch"] == 5
    assert VIP in node.addresses()
    node.grant(OTHER, epoch=6)
    node.wait_acted()
    node.wait_served(OTHER)
    assert node.reason == "AgentReady"


def test_a_status_that_somebody_spoilt_is_mended(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    node.write_status({"served": [], "servedCount": 0, "observedGeneration": None})
    node.wait_served(VIP)
    assert node.is_acted()


def test_it_serves_through_an_outage_of_the_api_server_and_then_goes_on(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    plane = node.lab.control_plane
    plane.api_server.kill()
    node.ip("address", "del", f"{VIP}/32", "dev", "eth1")
    node.wait(lambda: VIP in node.addresses(), timeout=5)
    plane.start_api_server()
    plane.wait_until_ready()
    node.grant(OTHER)
    node.wait_acted()
    assert VIP not in node.addresses()
    assert agent.output().count("Traceback") == 0
    assert agent.output().count("cannot watch") == 1


def test_at_rest_it_writes_nothing(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    before = node.settled()
    steps = node.metric("step_seconds_count")
    node.ip("address", "add", "10.1.9.9/32", "dev", "lo")
    node.ip("address", "del", "10.1.9.9/32", "dev", "lo")
    node.wait(lambda: node.metric("step_seconds_count") > steps)
    assert node.settled() == before


def test_health_readiness_and_metrics(node: PlumbedNode) -> None:
    agent = node.start("--log-format=json")
    node.wait(lambda: "no NodePlumbing yet" in agent.output())
    assert node.http("/healthz")[0] == 200
    assert node.http("/readyz")[0] == 503
    node.grant(VIP)
    node.wait(lambda: node.http("/readyz")[0] == 200)
    assert node.http("/other")[0] == 404
    assert node.metric("served_addresses") == 1
    assert node.metric("announcement_frames_total") > 0
    assert VIP not in node.http("/metrics")[1]
    assert all(json.loads(line)["message"] for line in agent.output().splitlines())
