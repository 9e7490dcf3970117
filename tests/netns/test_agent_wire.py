"""What the agent sends: announcements on the segment, and beats."""

import json
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest

from duravip_api.heartbeat import address_digest
from lab.processes import Process
from netns.peer import WHERE as PEER
from netns.plumbed import PlumbedNode

VIP, V6 = "10.1.1.1", "fd00:1::64:1"
EVERYBODY = "> ff:ff:ff:ff:ff:ff"


@pytest.fixture
def capture(node: PlumbedNode) -> Iterator[Process]:
    """What the client's card hears of ARP and neighbour advertisements."""
    log = node.lab.client.folder / f"capture-{time.monotonic_ns()}.log"
    program = [
        "tcpdump",
        "-i",
        "eth1",
        "-l",
        "-n",
        "-e",
        "-tt",
        "arp or (icmp6 and ip6[40] == 136)",
    ]
    dump = node.lab.client.spawn(program, log)
    node.wait(lambda: "listening on" in dump.output())
    yield dump
    dump.kill()


def lines(capture: Process, *parts: str) -> list[str]:
    return [line for line in capture.output().splitlines() if all(part in line for part in parts)]


def has_lines(capture: Process, count: int, *parts: str) -> bool:
    return len(lines(capture, *parts)) >= count


def says(node: PlumbedNode, command: list[str], word: str) -> bool:
    return word in node.lab.client.run(command)


def when(line: str) -> float:
    return float(line.split(maxsplit=1)[0])


def mac(node: PlumbedNode) -> str:
    return str(json.loads(node.ip("-j", "link", "show", "dev", "eth1"))[0]["address"])


def test_a_new_address_is_announced_in_both_forms_and_again(
    node: PlumbedNode, capture: Process
) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    requests = ["ARP", f"Request who-has {VIP} ", f"tell {VIP}", EVERYBODY]
    replies = ["ARP", f"Reply {VIP} is-at {mac(node)}", EVERYBODY]
    adverts = ["neighbor advertisement", f"tgt is {V6}", "33:33:00:00:00:01"]
    for parts in (requests, replies, adverts):
        node.wait(partial(has_lines, capture, 3, *parts))
        times = [when(line) for line in lines(capture, *parts)]
        assert times[1] - times[0] == pytest.approx(0.1, abs=0.08)
        assert times[2] - times[0] == pytest.approx(1.0, abs=0.15)


def test_known_neighbours_are_told_directly(node: PlumbedNode, capture: Process) -> None:
    node.machine.run(["ping", "-c1", "10.1.0.100"])
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    client = str(
        json.loads(node.lab.client.run(["ip", "-j", "link", "show", "dev", "eth1"]))[0]["address"]
    )
    node.wait(lambda: lines(capture, f"> {client}", f"Reply {VIP} is-at"))


def test_without_all_hosts_there_is_one_broadcast_and_targets_are_told_directly(
    node: PlumbedNode, capture: Process
) -> None:
    node.ip("neigh", "flush", "dev", "eth1")
    entry = {
        "name": "eth1", "mask": 32, "granted": [VIP],
        "arpAllHosts": False, "arpTargets": ["10.1.0.100"],
    }  # fmt: skip
    node.write({"epoch": 1, "interfaces": [entry]})
    node.start()
    node.wait(lambda: len(lines(capture, f"Reply {VIP} is-at", "ethertype")) >= 3)
    ours = (line for line in lines(capture, VIP, EVERYBODY) if "tell 10.1.0.11" not in line)
    broadcast = [
        line for line in ours if "tell 0.0.0.0" not in line
    ]  # which asks, before it is taken
    assert len(broadcast) == 2, broadcast  # a request and a reply, once
    assert lines(capture, f"Reply {VIP} is-at", "> ")


def test_when_the_cable_is_back_it_announces_again(node: PlumbedNode, capture: Process) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    node.wait(lambda: len(lines(capture, f"tell {VIP}")) >= 3)
    node.machine.cable("eth1", up=False)
    node.wait(lambda: not next(n for n in node.status["nics"] if n["name"] == "eth1")["carrier"])
    before = len(lines(capture, f"tell {VIP}"))
    node.machine.cable("eth1", up=True)
    node.wait(lambda: len(lines(capture, f"tell {VIP}")) > before, timeout=4)


def test_it_beats_every_100_ms_and_says_what_it_serves(node: PlumbedNode) -> None:
    node.grant(VIP, pulse=[PEER, "nonsense", "no.such.name.invalid:7946"])
    node.start()
    node.wait_served(VIP)
    count = len(node.peer.beats) + 15
    node.wait(lambda: len(node.peer.beats) > count)
    found = list(node.peer.beats)
    assert [beat.seq for _, beat in found] == sorted({beat.seq for _, beat in found})
    assert {beat.node for _, beat in found} == {"n1"}
    assert found[-1][1].digest == address_digest(frozenset({VIP}))
    assert found[-1][1].generation == node.read()["metadata"]["generation"]
    assert found[-1][1].boot == node.status["agent"]["boot"]
    mean = (found[-1][0] - found[-11][0]) / 10
    assert mean == pytest.approx(0.1, abs=0.02)
    assert node.metric("acknowledgements_total") > 0
    assert node.metric("beats_lost_total") == 0


def test_beats_that_nobody_acknowledges_are_counted(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait(lambda: node.metric("acknowledgements_total") > 0)
    node.peer.is_quiet = True
    node.wait(lambda: node.metric("beats_lost_total") > 0)
    node.peer.is_quiet = False


def test_it_goes_on_beating_while_it_plumbs_thousands(node: PlumbedNode) -> None:
    node.grant()
    node.start()
    node.wait(lambda: len(node.peer.beats) > 3)
    node.grant("10.1.64.0-10.1.77.84")
    node.wait(lambda: node.status.get("servedCount") == 3413)
    times = [at for at, _ in node.peer.beats]
    assert max(b - a for a, b in pairwise(times)) < 0.5


def test_an_answer_that_names_a_newer_generation_makes_it_read(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    before = node.metric('api_requests_total{code="200",verb="get"}')
    node.peer.knows(1, 99)
    node.wait(lambda: node.metric('api_requests_total{code="200",verb="get"}') > before + 1)


def test_stale_caches_of_clients_are_corrected(node: PlumbedNode) -> None:
    client, elsewhere = node.lab.client, "02:00:00:00:00:99"
    for address in (VIP, V6):
        client.run(
            ["ip", "neigh", "replace", address, "lladdr", elsewhere, "dev", "eth1", "nud", "stale"]
        )
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    right = mac(node)
    for address in (VIP, V6):
        command = ["ip", "neigh", "show", address, "dev", "eth1"]
        node.wait(partial(says, node, command, right), timeout=4)
