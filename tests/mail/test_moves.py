"""Mail goes to where its Binding's address is, whatever happens to nodes and addresses."""

import re

import pytest

from lab.processes import wait_for
from mail.conftest import BAR, FOO, start_all
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import Outside, Verdict

Pair = list[MailNode]
SESSIONS = 20
"""Messages that may be under way to another node when one is killed."""


def deferred(node: MailNode, outside: Outside, count: int, binding: str = "foo") -> None:
    """Have so many messages wait at a node."""
    outside.take(defer=True)
    outside.send(node.address, "q", binding=binding, count=count)
    wait_for(lambda: node.queue()["deferred"] == count, "all are deferred", 120, 0.2)


def hand_over(address: str, old: MailNode, new: MailNode) -> None:
    """Move an address."""
    old.tell("release", address)
    new.tell("take", address)


def counted(node: MailNode) -> list[tuple[str, int]]:
    """How many messages wait at a node, by Binding, as `mailq` shows them."""
    return [(row["binding"], row["deferred"] + row["active"]) for row in node.mailq()]


def moves(node: MailNode, result: str = "") -> int:
    """How often the node tried to hand mail over, for each recipient."""
    return len(re.findall(rf"duravip-mmove/smtp\[.*status={result}", node.log()))


def test_mail_that_enters_at_the_wrong_node_is_handed_over(pair: Pair, outside: Outside) -> None:
    first, second = pair
    outside.take()
    outside.send(first.address, "w", binding="bar", count=500)
    assert outside.wait_for(500, "w") == Verdict(500, 0, frozenset({BAR}))
    assert second.log().count("duravip/bar/smtp") >= 500
    assert first.is_empty()
    assert "X-DuraVIP-Binding" not in outside.text()


def test_a_binding_moves_with_its_queue(pair: Pair, outside: Outside) -> None:
    first, second = pair
    deferred(first, outside, 1000)
    # One that is tried again meanwhile may be missed between two folders.
    wait_for(lambda: counted(first) == [("foo", 1000)], "mailq shows them", PATIENCE_S, 0.1)
    hand_over(FOO, first, second)
    wait_for(first.is_empty, "the old owner's queue is empty", 120, 0.1)
    wait_for(lambda: second.queue()["deferred"] == 1000, "all wait there", 120, 0.2)
    outside.take()
    second.tell("release", FOO)  # its mail is due only in minutes, but at once when it comes back
    second.tell("take", FOO)
    assert outside.wait_for(1000, "q", 120) == Verdict(1000, 0, frozenset({FOO}))


def test_a_node_that_crashed_and_comes_back_hands_its_queue_over(
    pair: Pair, outside: Outside
) -> None:
    first, second = pair
    deferred(first, outside, 300)
    first.crash()
    second.tell("take", FOO)
    outside.take()
    outside.send(second.address, "new", binding="foo", count=20)
    assert outside.wait_for(20, "new") == Verdict(20, 0, frozenset({FOO}))
    assert not outside.taken("q")
    first.machine.power_on()
    first.start_postfix()
    first.start_agent()
    first.start_sidecar()
    assert outside.wait_for(300, "q", 120) == Verdict(300, 0, frozenset({FOO}))
    wait_for(first.is_empty, "nothing is left", PATIENCE_S, 0.2)


def test_the_disk_of_a_node_that_never_returns_is_emptied_by_another_one(
    pair: Pair, nodes: list[MailNode], outside: Outside
) -> None:
    first, second = pair
    rescuer = nodes[2]
    deferred(first, outside, 100)
    first.crash()
    second.tell("take", FOO)
    rescuer.take_disk_of(first)
    outside.take()
    rescuer.start()
    assert outside.wait_for(100, "q", 120) == Verdict(100, 0, frozenset({FOO}))
    wait_for(rescuer.is_empty, "nothing is left", PATIENCE_S, 0.2)


@pytest.mark.parametrize("left", [300, 200, 100])
@pytest.mark.parametrize("victim", [0, 1])
def test_postfix_is_killed_amid_a_move(
    pair: Pair, outside: Outside, victim: int, left: int
) -> None:
    first, second = pair
    deferred(first, outside, 400)
    hand_over(FOO, first, second)
    wait_for(lambda: first.queue().total() <= left, "so many are left to move", 120, 0.01)
    pair[victim].kill_postfix()
    assert not first.is_empty()
    pair[victim].start_postfix()
    wait_for(first.is_empty, "all are moved", 120, 0.2)
    outside.take()
    second.tell("release", FOO)
    second.tell("take", FOO)
    found = outside.wait_for(400, "q", 120)
    assert (found.delivered, found.sources) == (400, frozenset({FOO}))
    assert found.twice <= SESSIONS


def test_two_nodes_that_both_say_it_is_the_other_s_hand_nothing_over(
    pair: Pair, outside: Outside
) -> None:
    first, second = pair
    outside.take()
    second.tell("deny", BAR)
    wait_for(
        lambda: (
            "not on this node" in (second.folder / "etc/accepted").read_text()
            and "mmove" in (second.folder / "etc/routes").read_text()
        ),
        "the lie is in the tables",
        PATIENCE_S,
        0.05,
    )
    outside.send(first.address, "a", binding="bar", count=50)
    outside.send(second.address, "b", binding="bar", count=50)
    wait_for(lambda: moves(first) >= 50 and moves(second) >= 50, "both have tried", 60, 0.1)
    assert (moves(first, "sent"), moves(second, "sent")) == (0, 0)
    assert (first.queue().total(), second.queue().total()) == (50, 50)
    assert not outside.taken()
    second.tell("claim", BAR)
    for tag in "ab":
        assert outside.wait_for(50, tag) == Verdict(50, 0, frozenset({BAR}))


def test_a_node_that_wrongly_says_it_is_here_sends_nothing(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    outside.take()
    first.tell("claim", BAR)
    wait_for(lambda: "bar\tFILTER b-bar:" in first.routes(), "the lie counts", PATIENCE_S, 0.05)
    outside.send(first.address, "c", binding="bar", count=20)
    refused = r"duravip/bar/smtp.*bind 10.1.1.2: Cannot assign"
    wait_for(
        lambda: first.queue()["deferred"] == 20 and re.search(refused, first.log()),
        "the bind was refused",
        PATIENCE_S,
        0.1,
    )
    assert not outside.taken()
    first.tell("deny", BAR)
    assert outside.wait_for(20, "c") == Verdict(20, 0, frozenset({BAR}))


def test_mail_of_an_address_that_nobody_serves_waits_until_somebody_does(
    pair: Pair, outside: Outside
) -> None:
    first, second = pair
    outside.take()
    second.tell("release", BAR)
    outside.send(first.address, "n", binding="bar", count=20)
    wait_for(lambda: first.queue()["deferred"] == 20, "it waits", PATIENCE_S, 0.1)
    assert not outside.taken()
    second.tell("take", BAR)
    assert outside.wait_for(20, "n") == Verdict(20, 0, frozenset({BAR}))


def test_the_address_changes_its_owner_again_and_again(
    nodes: list[MailNode], outside: Outside
) -> None:
    start_all(nodes)
    outside.take()
    nodes[0].tell("take", FOO)
    for turn in range(3):
        for node in nodes:
            outside.send(node.address, f"t{turn}{node.name}", binding="foo", count=20)
        hand_over(FOO, nodes[turn % 3], nodes[(turn + 1) % 3])
    for turn in range(3):
        for node in nodes:
            found = outside.wait_for(20, f"t{turn}{node.name}", 120)
            assert (found.delivered, found.sources) == (20, frozenset({FOO}))
    wait_for(lambda: all(node.is_empty() for node in nodes), "nothing is left", PATIENCE_S, 0.2)
