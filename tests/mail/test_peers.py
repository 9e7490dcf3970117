"""Nodes hand mail to nodes only, and nothing that goes wrong between them is the last word."""

import re

from lab.processes import wait_for
from mail.conftest import BAR
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import TRUSTED, Outside, Verdict
from mail.segment import Segment, make_authority

Pair = list[MailNode]
PORT = 2526


def test_a_stranger_at_the_address_gets_nothing(
    nodes: list[MailNode], outside: Outside, segment: Segment
) -> None:
    first, stranger = nodes[:2]
    folder = segment.layout.home / "foreign"
    stranger.use_tls(folder if folder.exists() else make_authority(folder))
    for node in (first, stranger):
        node.start()
    outside.take()
    stranger.tell("take", BAR)
    outside.send(first.address, "m", binding="bar", count=5)
    said = "Server certificate not"
    wait_for(lambda: said in first.reason("m"), "it is refused", PATIENCE_S, 0.1)
    assert first.queue().total() == 5
    assert stranger.is_empty()
    assert not outside.taken()


def test_a_client_without_a_certificate_can_hand_nothing_over(
    pair: Pair, outside: Outside
) -> None:
    refused = outside.refusal(BAR, port=PORT)
    assert re.search("STARTTLS", refused)
    assert all(node.is_empty() for node in pair)


def test_who_is_not_listed_may_not_inject(pair: Pair, nodes: list[MailNode]) -> None:
    to = ["-f", "a@sender.example", "-t", "x@[10.1.0.100]"]
    for port in (25, TRUSTED):
        argv = ["/usr/sbin/smtp-source", "-m", "1", *to, f"inet:{pair[0].address}:{port}"]
        assert "Access denied" in nodes[2].machine.attempt(argv).stderr


def test_a_5xx_of_another_node_returns_nothing_to_its_sender(
    nodes: list[MailNode], outside: Outside
) -> None:
    first, second = nodes[:2]
    for node in (first, second):
        node.configure()
    second.edit("master.cf", "permit_tls_all_clientcerts,reject", "reject")
    second.edit("master.cf", "  -o smtpd_relay_restrictions=reject\n", REFUSES)
    first.write_table("routes", {"bar": f"FILTER mmove:[{BAR}]:{PORT}"})
    second.plumb(BAR)
    for node in (first, second):
        node.start_postfix()
    outside.take()
    outside.send(first.address, "r", binding="bar", count=5)
    wait_for(lambda: first.queue()["deferred"] == 5, "all wait", PATIENCE_S, 0.1)
    assert "SOFTBOUNCE" in first.log()
    assert "non-delivery notification" not in first.log()
    assert "550" in first.reason("r") or "554" in first.reason("r")


REFUSES = "  -o smtpd_relay_restrictions=reject\n  -o soft_bounce=no\n"


def test_a_full_disk_of_the_owner_leaves_mail_where_it_is(
    nodes: list[MailNode], outside: Outside
) -> None:
    first, second = nodes[:2]
    first.start()
    (second.machine.folder / "more.cf").write_text(
        f"{second.more()}queue_minfree = 1000000000000\n"
    )
    second.start()
    outside.take()
    second.tell("take", BAR)
    outside.send(first.address, "full", binding="bar", count=3)
    said = "Insufficient system storage"
    wait_for(lambda: said in first.reason("full"), "452", PATIENCE_S, 0.1)
    assert first.queue().total() == 3
    assert not outside.taken()


def test_several_messages_share_a_connection(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    outside.take()
    outside.send(first.address, "c", binding="bar", count=200)
    assert outside.wait_for(200, "c") == Verdict(200, 0, frozenset({BAR}))
    assert re.search(r"duravip-mmove/smtp\[.*conn_use=\d", first.log())
    assert "signal 11" not in first.log()
