"""What cannot be heard is not said to be served, whatever keeps it from being heard."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netns.plumbed import PlumbedNode

VIP, V6 = "10.1.1.1", "fd00:1::64:1"
SOON = 4.0
"""What must be said within 2 s, on a machine that has other things to do."""
BACK = 15.0

HOOK = "type route hook output"
QUIET = {
    "a rule drops it": (
        f"nft add table ip q {{ chain o {{ {HOOK} priority -500; udp dport 9 drop; }}; }}",
        "nft delete table ip q",
    ),
    "a rule marks it": (
        f"nft add table ip q {{ chain o {{ {HOOK} priority -150; meta mark set 0x64; }}; }}",
        "nft delete table ip q",
    ),
    "lo has no address": (
        "ip address del 127.0.0.1/8 dev lo",
        "ip address add 127.0.0.1/8 dev lo",
    ),
}


def answers(node: PlumbedNode, address: str = VIP) -> bool:
    return node.lab.who_answers([address]).get(address) == "n1"


@contextmanager
def done(node: PlumbedNode, do: str, undo: str) -> Iterator[None]:
    """Something that is done to the node, and undone."""
    node.machine.run(do.split())
    try:
        yield
    finally:
        node.machine.run(undo.split())


@pytest.mark.parametrize("how", QUIET)
def test_a_node_whose_refreshes_do_not_arrive_serves_nothing_and_says_so(
    node: PlumbedNode, how: str
) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    with done(node, *QUIET[how]):
        node.wait(lambda: node.reason == "Muted", timeout=SOON)
        node.wait_served(timeout=SOON)
        assert "127.0.0.1:9" in node.status["conditions"][0]["message"]
        assert not answers(node)
        assert node.metric("well") == 0
    node.wait_served(VIP, V6, timeout=BACK)
    node.wait(lambda: answers(node) and node.reason == "AgentReady")
    assert node.metric("well") == 1


def test_a_node_that_is_mute_from_the_start_says_so_before_it_is_granted_anything(
    node: PlumbedNode,
) -> None:
    with done(node, *QUIET["a rule drops it"]):
        node.grant()
        node.start()
        node.wait(lambda: node.reason == "Muted")
        node.grant(VIP)
        node.wait_acted()
        assert not node.status["served"]
    node.wait_served(VIP, timeout=BACK)


@pytest.mark.parametrize("name", ["tap*0", 'a"b', "b\\r", os.fsdecode(b"b\xff")], ids=ascii)
def test_cards_may_be_called_whatever_the_kernel_allows(node: PlumbedNode, name: str) -> None:
    node.grant(VIP)
    node.machine.run(["ip", "link", "add", name, "type", "bridge"])
    try:
        node.start()
        node.wait_served(VIP)
        assert answers(node)
        node.machine.run(["ip", "link", "set", name, "up"])
        node.machine.run(["ip", "link", "add", f"{name}2", "type", "bridge"])
        node.wait(lambda: f"guarded_{''.join(map(code, f'{name}2'))}" in rules(node))
        assert answers(node)
        assert node.reason == "AgentReady"
        named = {nic["name"] for nic in node.status["nics"]}
        left_out = [c["message"] for c in node.status["conditions"] if c["type"] != "Ready"]
        assert (name in named) != any(ascii(name)[1:-1] in message for message in left_out)
    finally:
        for each in (name, f"{name}2"):
            node.machine.attempt(["ip", "link", "del", each])


def code(character: str) -> str:
    is_plain = character.isascii() and character.isalnum()
    return character if is_plain else f"_{ord(character):x}_"


def rules(node: PlumbedNode) -> str:
    listed = "nft list table netdev duravip | tr -cd '\\0-\\177'"
    return node.machine.run(["sh", "-c", listed])


def test_where_the_fence_cannot_be_built_again_everything_is_deleted(
    node: PlumbedNode, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    program = tmp_path / "nft"
    real = shutil.which("nft") or "/usr/sbin/nft"
    program.write_text(f'#!/bin/sh\n[ -e {broken} ] && exit 1\nexec {real} "$@"\n')
    program.chmod(0o755)
    node.grant(VIP, V6)
    node.start(prefix=["env", f"PATH={tmp_path}:{os.environ['PATH']}"])
    node.wait_served(VIP, V6)
    broken.touch()
    node.machine.run(["nft", "flush", "ruleset"])
    node.wait(lambda: node.reason == "Unfenced", timeout=SOON)
    node.wait_served(timeout=SOON)
    assert not node.addresses() & {VIP, V6}
    assert not answers(node)
    broken.unlink()
    node.wait_served(VIP, V6, timeout=BACK)
    node.wait(lambda: node.reason == "AgentReady")


def test_a_fence_that_is_flushed_time_and_again_is_none(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    script = "while :; do nft flush ruleset; sleep 0.3; done"
    flusher = node.machine.spawn(["sh", "-c", script], node.machine.folder / "flusher.log")
    try:
        node.wait(lambda: node.reason == "Unfenced", timeout=2 * SOON)
        node.wait_served(timeout=SOON)
        node.wait(lambda: VIP not in node.addresses(), timeout=SOON)
        assert not answers(node)
    finally:
        flusher.kill()
    node.wait_served(VIP, timeout=30)


def test_a_set_that_somebody_empties_is_filled_again(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    for rebuilds, damage in enumerate(
        ("flush set inet duravip held4", "flush set netdev duravip vips6"), 1
    ):
        node.machine.run(["nft", *damage.split()])
        node.wait(lambda wanted=rebuilds: node.metric("fence_rebuilds_total") == wanted)
    node.wait(lambda: answers(node), timeout=SOON)
    assert (
        node.machine.run(["nft", "list", "ruleset"]).count(f"{VIP} }}") == 4
    )  # vips, held: twice
