"""Which Binding a message has: by a rule, or by a header that is trusted."""

import json
from pathlib import Path

import pytest

from lab.processes import wait_for
from mail.conftest import BAR, FOO, KNOWN, write_bindings
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import Outside

Pair = list[MailNode]
FIELD = "X-DuraVIP-Binding"
PLAIN = "Subject: x\n\nhello\n"
ATTACHED = (
    "Subject: x\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
    f"{FIELD}: bar\nSubject: inner\n\nhello\n"
)


def only_source(outside: Outside, tag: str) -> str:
    """Where the only message with this tag came from."""
    (source,) = outside.wait_for(1, tag).sources
    return source


def waits(node: MailNode, tag: str, reason: str) -> None:
    """Wait until a message is deferred for this reason."""
    wait_for(lambda: reason in node.reason(tag), f"{tag} waits", PATIENCE_S, 0.1)


def test_the_header_of_a_trusted_client_counts(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    outside.take()
    texts = {
        "none": PLAIN,
        "known": f"{FIELD}: foo\n{PLAIN}",
        "last": f"{FIELD}: bar\n{FIELD}: foo\n{PLAIN}",
        "attached": ATTACHED,
        "unknown": f"{FIELD}: nosuch\n{PLAIN}",
        "upper": f"{FIELD}: FOO\n{PLAIN}",
        "rubbish": f"{FIELD}: foo bar\n{PLAIN}",
        "empty": f"{FIELD}:\n{PLAIN}",
    }
    for tag, text in texts.items():
        outside.send(first.address, tag, text=text)
    assert only_source(outside, "none") == first.address
    assert only_source(outside, "attached") == first.address
    assert only_source(outside, "known") == FOO
    assert only_source(outside, "last") == FOO
    for tag in ("unknown", "upper", "rubbish", "empty"):
        waits(first, tag, "no such binding")
        assert not outside.taken(tag)
    assert outside.text().count(f"{FIELD}: bar") == 1  # the attached one
    assert f"{FIELD}: foo" not in outside.text()


def test_mail_of_an_unknown_binding_leaves_once_it_is_known(
    pair: Pair, outside: Outside, bindings: Path
) -> None:
    first, _ = pair
    outside.take()
    outside.send(first.address, "early", binding="new")
    waits(first, "early", "no such binding")
    write_bindings(bindings, [*KNOWN, {"name": "new", "address": FOO}])
    assert only_source(outside, "early") == FOO


def test_suspended_mail_waits_where_it_is_and_leaves_when_it_is_resumed(
    pair: Pair, outside: Outside, bindings: Path
) -> None:
    first, second = pair
    outside.take()
    foo, bar = KNOWN
    write_bindings(bindings, [foo, bar | {"suspended": True}])
    for node in pair:
        wait_for(lambda node=node: "suspended" in node.routes(), "it is known", PATIENCE_S, 0.05)
    for node in pair:
        outside.send(node.address, node.name, binding="bar", count=3)
    for node in pair:
        waits(node, node.name, "binding bar is suspended")
    assert (first.queue().total(), second.queue().total()) == (3, 3)
    write_bindings(bindings, KNOWN)
    for node in pair:
        assert outside.wait_for(3, node.name).sources == {BAR}


def test_mail_of_a_deleted_binding_waits(pair: Pair, outside: Outside, bindings: Path) -> None:
    first, _ = pair
    outside.take(defer=True)
    outside.send(first.address, "gone", binding="foo")
    wait_for(lambda: first.queue()["deferred"] == 1, "it is deferred", PATIENCE_S, 0.1)
    write_bindings(bindings, KNOWN[1:])
    waits(first, "gone", "no such binding")
    (row,) = first.mailq()
    assert (row["binding"], row["deferred"]) == ("-", 1)


def test_mail_follows_an_address_that_is_edited(
    pair: Pair, outside: Outside, bindings: Path
) -> None:
    first, second = pair
    outside.take(defer=True)
    outside.send(first.address, "edit", binding="foo", count=5)
    wait_for(lambda: first.queue()["deferred"] == 5, "it is deferred", PATIENCE_S, 0.1)
    outside.take()
    second.tell("take", "10.1.1.9")
    write_bindings(bindings, [{"name": "foo", "address": "10.1.1.9"}, KNOWN[1]])
    assert outside.wait_for(5, "edit").sources == {"10.1.1.9"}


def test_a_binding_that_is_new_can_be_used_at_once(
    pair: Pair, outside: Outside, bindings: Path
) -> None:
    first, second = pair
    outside.take()
    write_bindings(bindings, [*KNOWN, {"name": "six", "address": "fd00:1::5"}])
    second.tell("take", "fd00:1::5")
    wait_for(lambda: "six" in first.routes(), "it is known", PATIENCE_S, 0.05)
    outside.send(first.address, "v4", binding="foo", count=5)
    assert outside.wait_for(5, "v4").sources == {FOO}
    outside.take(v6=True)
    outside.send(first.address, "v6", binding="six", count=5, domain="six.example")
    assert outside.wait_for(5, "v6").sources == {"fd00:1::5"}


@pytest.fixture
def ruled(nodes: list[MailNode]) -> MailNode:
    """A node with rules, which serves foo and bar."""
    node = nodes[0]
    rules = [
        {"sender": "@a.example", "binding": "foo"},
        {"listener": BAR, "binding": "bar"},
        {"sender": "@missing.example", "binding": "missing"},
    ]
    file = node.machine.folder / "rules.json"
    file.write_text(json.dumps(rules))
    node.options = ["--assign-file", str(file)]
    node.start()
    node.tell("take", FOO, BAR)
    wait_for(lambda: "bar\tFILTER b-bar:" in node.routes(), "both are here", PATIENCE_S, 0.05)
    return node


def test_rules_assign_by_sender_and_listener(ruled: MailNode, outside: Outside) -> None:
    outside.take()
    outside.send(ruled.address, "sender", sender="u@a.example", port=25)
    outside.send(BAR, "listener", sender="u@else.example", port=25)
    outside.send(ruled.address, "nobody", sender="u@else.example", port=25)
    assert only_source(outside, "sender") == FOO
    assert only_source(outside, "listener") == BAR
    assert only_source(outside, "nobody") == ruled.address
    assert FIELD not in outside.text()


def test_a_forged_a_guessed_and_a_stolen_header_choose_nothing(
    ruled: MailNode, outside: Outside
) -> None:
    outside.take()
    token = next(
        row.partition("/")[2].partition("\t")[0]
        for row in ruled.table("assigned").splitlines()
        if row.startswith("foo/")
    )
    forged = {"plain": "bar", "guessed": "bar/0123456789abcdef", "stolen": f"bar/{token}"}
    for tag, value in forged.items():
        text = f"{FIELD}: {value}\n{PLAIN}"
        outside.send(ruled.address, f"{tag}-a", text=text, sender="u@a.example", port=25)
        outside.send(ruled.address, f"{tag}-x", text=text, sender="u@x.example", port=25)
    for tag in forged:
        assert only_source(outside, f"{tag}-a") == FOO
        assert only_source(outside, f"{tag}-x") == ruled.address
    assert FIELD not in outside.text()


def test_an_assignment_is_kept_when_mail_is_looked_at_again(
    ruled: MailNode, outside: Outside
) -> None:
    outside.take(defer=True)
    outside.send(ruled.address, "again", sender="u@a.example", port=25)
    wait_for(lambda: ruled.queue()["deferred"] == 1, "it is deferred", PATIENCE_S, 0.1)
    outside.take()
    assert "1 messages" in ruled.run("rebind", "foo", *ruled.places())
    assert only_source(outside, "again") == FOO


def test_what_cannot_be_assigned_is_not_taken(ruled: MailNode, outside: Outside) -> None:
    assert "4.3.0" in outside.refusal(ruled.address, sender="u@missing.example")
    assert ruled.sidecar
    ruled.sidecar.kill()
    assert "cannot assign a binding now" in outside.refusal(ruled.address, sender="u@a.example")
    assert ruled.is_empty()
