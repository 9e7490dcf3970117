"""What people ask of an agent by annotation, on a real kernel."""

import time

from duravip_api.annotations import ANNOUNCE, LIST_NEIGHBOURS, RESET
from lab.layout import API_ADDRESS
from lab.processes import Process
from netns.plumbed import PlumbedNode

VIP, OTHER = "10.1.1.1", "10.1.1.2"


def _done(node: PlumbedNode, what: str) -> str | None:
    found: str | None = (node.status.get("requests") or {}).get(what)
    return found


def _is_listening(node: PlumbedNode, monitor: Process) -> bool:
    """Whether the monitor tells of what happens now."""
    for verb in ("add", "del"):
        node.ip("address", verb, "127.0.0.77/32", "dev", "lo")
    return "127.0.0.77" in monitor.output()


def test_a_reset_removes_everything_and_takes_it_again(node: PlumbedNode) -> None:
    node.grant(VIP, OTHER)
    node.start()
    node.wait_served(VIP, OTHER)
    log = node.machine.folder / f"monitor-{time.monotonic_ns()}.log"
    monitor = node.machine.spawn(["ip", "monitor", "address"], log)
    try:
        node.wait(lambda: _is_listening(node, monitor))
        node.ask(RESET, "T1")
        node.wait(lambda: _done(node, "reset") == "T1")
        node.wait(lambda: {VIP, OTHER} <= node.addresses())
        node.wait_served(VIP, OTHER)
        for address in (VIP, OTHER):
            node.wait(lambda text=f"inet {address}/32": text in monitor.output())
        node.wait(lambda: monitor.output().count("Deleted 3: eth1") == 2)
    finally:
        monitor.kill()
    assert node.is_acted()


def test_neighbours_are_listed_also_when_they_were_asked_for_before(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.ask(LIST_NEIGHBOURS, "T1")
    node.ask(ANNOUNCE, "T1")
    node.start()
    node.wait(lambda: _done(node, "neighbours") == "T1")
    listed = {n["address"]: n for n in node.status["neighbours"]}
    server = listed[API_ADDRESS]  # which the agent has just spoken to
    assert (server["interface"], len(server["mac"])) == ("eth0", 17)
    assert _done(node, "announce") is None  # it was asked of an earlier agent


def test_what_is_asked_for_is_announced_again(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    time.sleep(6)  # until the rounds of the new address are over
    before = node.metric("announcement_frames_total")
    node.ask(ANNOUNCE, f"T1 {VIP}")
    node.wait(lambda: _done(node, "announce") == "T1")
    node.wait(lambda: node.metric("announcement_frames_total") > before)
    assert node.status["served"] == [VIP]
