"""What a message may be like: large, for many, half delivered; and how Postfix keeps it."""

import re
from pathlib import Path

from duravip_mail.spool import Spool
from lab.processes import wait_for
from mail.conftest import BAR, FOO, start_all, write_bindings
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import Outside, Verdict

Pair = list[MailNode]


def test_routes_are_read_as_postfix_reads_them(pair: Pair, outside: Outside) -> None:
    first, second = pair
    second.tell("release", BAR)
    outside.take(defer=True)
    for binding in ("foo", "bar", "nosuch", ""):
        outside.send(first.address, f"p{binding}", binding=binding, count=2)
    wait_for(lambda: first.queue()["deferred"] == 8, "all are deferred", PATIENCE_S, 0.1)
    etc, routes = str(first.folder / "etc"), set()
    for message in Spool(first.folder / "spool").messages():
        said = first.machine.run(["/usr/sbin/postcat", "-c", etc, "-qe", message.queue_id])
        shown = re.findall(r"^content_filter: (.*)$", said, re.MULTILINE)
        assert message.route == (shown[-1] if shown else "")
        routes.add(message.route)
    assert routes == {"b-foo:", f"mmove:[{BAR}]:2526", "retry:4.3.0 no such binding", ""}


def test_who_has_got_a_message_does_not_get_it_again_when_it_moves(
    pair: Pair, outside: Outside
) -> None:
    first, second = pair
    outside.take()
    # The name six.example has an IPv6 address only, which an IPv4 Binding does not send to.
    both = ["here-m-@[10.1.0.100]", "late-m-@six.example"]
    outside.send_to_all(first.address, both, binding="foo")
    assert outside.wait_for(1, "m") == Verdict(1, 0, frozenset({FOO}))
    wait_for(lambda: first.queue()["deferred"] == 1, "one is left", PATIENCE_S, 0.1)
    first.tell("release", FOO)
    second.tell("take", FOO)
    wait_for(first.is_empty, "it has moved", PATIENCE_S, 0.1)
    wait_for(lambda: second.queue()["deferred"] == 1, "it waits there", PATIENCE_S, 0.1)
    assert outside.verdict("m") == Verdict(1, 0, frozenset({FOO}))
    assert "here-m-@" not in second.log()


def test_a_large_message_moves(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    outside.take()
    text = "X-DuraVIP-Binding: bar\nSubject: large\n\n" + ("x" * 70 + "\n") * 300_000
    outside.send(first.address, "large", text=text)
    assert outside.wait_for(1, "large") == Verdict(1, 0, frozenset({BAR}))


def test_a_node_can_have_a_thousand_bindings(
    nodes: list[MailNode], outside: Outside, bindings: Path
) -> None:
    many = [
        {"name": f"b{number}", "address": f"10.1.{2 + number // 250}.{number % 250 + 1}"}
        for number in range(1000)
    ]
    write_bindings(bindings, many)
    first, second = nodes[:2]
    start_all((first, second))
    first.tell("take", many[0]["address"])
    second.tell("take", many[999]["address"])
    outside.take()
    outside.send(first.address, "first", binding="b0", count=10)
    outside.send(first.address, "last", binding="b999", count=10)
    assert outside.wait_for(10, "first").sources == {many[0]["address"]}
    assert outside.wait_for(10, "last").sources == {many[999]["address"]}
