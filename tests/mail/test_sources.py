"""No mail leaves from another address; and what Postfix does by default, so that it stays so."""

import pytest

from lab.processes import wait_for
from mail.conftest import FOO
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import Outside

ENFORCED = "  -o smtp_bind_address_enforce=yes\n"
FAMILY = "  -o inet_protocols=ipv4\n"
B_FOO = f"""\
b-foo unix - - n - - smtp
  -o syslog_name=duravip/foo
  -o smtp_bind_address={FOO}
  -o smtp_bind_address6=
{ENFORCED}{FAMILY}"""


@pytest.fixture
def node(nodes: list[MailNode]) -> MailNode:
    """Postfix alone: whatever the tables say, it is to send foo's mail."""
    only = nodes[0]
    only.configure()
    only.write_table("routes", {"foo": "FILTER b-foo:"})
    return only


def all_are(node: MailNode, outside: Outside, count: int) -> bool:
    """Whether each message was delivered or has waited."""
    return len(outside.taken()) + node.queue()["deferred"] == count


def sources(node: MailNode, outside: Outside, domain: str = "[10.1.0.100]") -> set[str]:
    """From where five messages arrive outside, once none is on its way any more."""
    node.start_postfix()
    outside.send(node.address, "s", binding="foo", count=5, domain=domain)
    wait_for(lambda: all_are(node, outside, 5), "each has left, or waits", PATIENCE_S, 0.1)
    return {one.client for one in outside.taken()}


def test_with_its_address_here_mail_leaves_from_it(node: MailNode, outside: Outside) -> None:
    node.plumb(FOO)
    outside.take()
    assert sources(node, outside) == {FOO}


def test_without_its_address_mail_waits(node: MailNode, outside: Outside) -> None:
    outside.take()
    assert sources(node, outside) == set()
    assert "server configuration error" in node.reason("s")


def test_by_postfix_default_it_would_leave_from_the_node(node: MailNode, outside: Outside) -> None:
    master = (node.folder / "etc/master.cf").read_text()
    assert B_FOO in master
    node.edit("master.cf", B_FOO, B_FOO.replace(ENFORCED, ""))
    node.edit("main.cf", "smtp_bind_address_enforce = yes\n", "")
    outside.take()
    assert sources(node, outside) == {node.address}


def test_where_any_address_can_be_bound_mail_waits(node: MailNode, outside: Outside) -> None:
    node.edit("master.cf", B_FOO, f"{B_FOO}  -o smtp_connect_timeout=3s\n")
    outside.take()
    node.machine.run(["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1"])
    try:
        assert sources(node, outside) == set()
    finally:
        node.machine.run(["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=0"])


@pytest.mark.parametrize("is_bound", [True, False])
def test_an_ipv4_binding_sends_nothing_by_ipv6(
    node: MailNode, outside: Outside, is_bound: bool
) -> None:
    node.plumb(FOO)
    if not is_bound:  # what Postfix would do with the enforced bind alone
        node.edit("master.cf", B_FOO, B_FOO.replace(FAMILY, ""))
    outside.take(v6=True)
    found = sources(node, outside, "six.example")
    assert found == (set() if is_bound else {"fd00:1::11"})


def test_mail_without_a_binding_leaves_from_the_node_only(
    node: MailNode, outside: Outside
) -> None:
    node.plumb(FOO)
    node.edit("main.cf", f"smtp_bind_address = {node.address}", "smtp_bind_address = 10.1.9.9")
    node.edit("master.cf", f"smtp_bind_address={node.address}", "smtp_bind_address=10.1.9.9")
    node.start_postfix()
    outside.take()
    outside.send(node.address, "none", count=3)
    wait_for(lambda: all_are(node, outside, 3), "each has left, or waits", PATIENCE_S, 0.1)
    assert not outside.taken()
