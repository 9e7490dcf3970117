"""Mail queues that follow their Bindings: the chart's Postfix beside real agents."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.objects import apply, binding
from api.plugin import told
from e2e.example import PATIENCE, Example
from lab import charts
from lab.cluster import Lab
from lab.fleet import wait_until
from lab.processes import in_namespace
from mail.outside import Outside, Verdict
from mail.segment import OUTSIDE

FOO, BAR = "10.1.1.41", "10.1.1.42"
FIRST = "10.1.0.11"
"""The address of n1 on the segment, where all mail is injected."""
MANY = 500
"""Messages that wait while their Binding moves."""
VALUES = (
    f"--set=mail.networks={{{OUTSIDE}}}",
    f"--set=mail.headerTrust={{{OUTSIDE}}}",
    "--set=mail.postfix.smtp_host_lookup=native",
    "--set=mail.postfix.smtp_dns_support_level=disabled",
    "--set=mail.postfix.smtpd_peername_lookup=no",
    "--set=mail.postfix.smtpd_client_connection_count_limit=0",
)


@pytest.fixture(scope="module")
def mail(lab: Lab) -> Iterator[Lab]:
    """Postfix on every node, mail-foo on n1 and mail-bar on n2."""
    charts.install_with_mail(lab, *VALUES)
    Example(lab).settle()
    prefer(lab, foo="n1", bar="n2")
    wait_for_owners(lab, foo="n1", bar="n2")
    yield lab
    lab.kubectl("delete", "vipbindings", "mail-foo", "mail-bar")
    charts.install(lab)


@pytest.fixture
def outside(mail: Lab) -> Iterator[Outside]:
    """A test begins without queued mail: what an earlier one has left is taken."""
    host = Outside(mail.client)
    if queued(mail):
        host.take()
        told(mail, "rebind", "--all")
        wait_until(lambda: not queued(mail), "what was left is gone", PATIENCE)
    yield host
    host.close()


def prefer(lab: Lab, **nodes: str) -> None:
    """Write the Bindings mail-NAME, each with the node that it prefers."""
    addresses = {"foo": FOO, "bar": BAR}
    apply(
        lab,
        [
            binding(f"mail-{name}", addresses[name], preference=node, group="bulk")
            for name, node in nodes.items()
        ],
    )


def wait_for_owners(lab: Lab, **owners: str) -> None:
    """Until the Bindings mail-NAME are there."""

    def are_there() -> bool:
        path = "-o=jsonpath={.status.owner}"
        return all(
            lab.kubectl("get", "vipbinding", f"mail-{name}", path) == node
            for name, node in owners.items()
        )

    wait_until(are_there, f"the owners are {owners}", PATIENCE)


@contextmanager
def without_agent(lab: Lab, node: str) -> Iterator[None]:
    """The agent's program of a node stands still meanwhile, if the kubelet does not replace it."""
    (agent,) = [
        pid
        for pid in in_namespace(lab.layout.namespace_file(node))
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", b"duravip_agent"]
    ]
    os.kill(agent, signal.SIGSTOP)
    try:
        yield
    finally:
        if Path(f"/proc/{agent}").exists():
            os.kill(agent, signal.SIGCONT)


def queued(lab: Lab) -> Counter[tuple[str, str]]:
    """How many messages wait, by Binding and node, as `mailq` shows them."""
    found: Counter[tuple[str, str]] = Counter()
    for row in told(lab, "mailq"):
        found[row["binding"], row["node"]] += row["active"] + row["deferred"]
    return found


def deferred(lab: Lab, node: str) -> int:
    """How many messages wait on a node until they are tried again."""
    return sum(row["deferred"] for row in told(lab, "mailq") if row["node"] == node)


def handed_over(lab: Lab, tag: str) -> Counter[tuple[str, str, str]]:
    """How many messages with a tag, by the nodes and the Binding, as `moves` tells."""
    return Counter(
        (row["from"], row["to"], row["binding"])
        for row in told(lab, "moves")
        if row["result"] == "sent" and f"-{tag}-" in row["recipient"]
    )


def test_mail_leaves_from_its_binding_wherever_it_enters(mail: Lab, outside: Outside) -> None:
    outside.take()
    outside.send(FIRST, "right", binding="mail-foo", count=20)
    outside.send(FIRST, "wrong", binding="mail-bar", count=20)
    assert outside.wait_for(20, "right") == Verdict(20, 0, frozenset({FOO}))
    assert outside.wait_for(20, "wrong") == Verdict(20, 0, frozenset({BAR}))
    assert "X-DuraVIP-Binding" not in outside.text()
    assert handed_over(mail, "wrong")["n1", "n2", "mail-bar"] >= 20


def test_a_binding_moves_with_its_queue(mail: Lab, outside: Outside) -> None:
    outside.take(defer=True)
    outside.send(FIRST, "moved", binding="mail-foo", count=MANY)
    wait_until(lambda: deferred(mail, "n1") == MANY, "all wait on n1", PATIENCE)
    assert queued(mail) == {("mail-foo", "n1"): MANY}
    prefer(mail, foo="n3")
    wait_until(lambda: deferred(mail, "n3") == MANY, "all wait on n3", PATIENCE)
    assert queued(mail) == {("mail-foo", "n3"): MANY}
    outside.take()
    assert sum(row["messages"] for row in told(mail, "rebind", "mail-foo")) == MANY
    assert outside.wait_for(MANY, "moved") == Verdict(MANY, 0, frozenset({FOO}))
    assert handed_over(mail, "moved")["n1", "n3", "mail-foo"] >= MANY
    prefer(mail, foo="n1")
    wait_for_owners(mail, foo="n1")


def test_mail_waits_where_its_address_is_muted_though_it_is_there(
    mail: Lab, outside: Outside
) -> None:
    outside.take()
    with without_agent(mail, "n1"):
        path = "-o=jsonpath={.status.owner}"
        wait_until(
            lambda: mail.kubectl("get", "vipbinding", "mail-foo", path) in ("n2", "n3"),
            "another node has the address",
            PATIENCE,
        )
        assert f"inet {FOO}/32 " in mail.machines["n1"].run(["ip", "-o", "addr", "show", "eth1"])
        outside.send(FIRST, "muted", binding="mail-foo", count=3)
        wait_until(lambda: deferred(mail, "n1") == 3, "all have been tried in vain", PATIENCE)
        assert not outside.taken("muted")
    found = outside.wait_for(3, "muted", PATIENCE)
    assert (found.delivered, found.sources) == (3, frozenset({FOO}))
    wait_for_owners(mail, foo="n1")


def test_the_queue_of_a_node_that_crashed_is_delivered_once_it_is_back(
    mail: Lab, outside: Outside
) -> None:
    outside.take(defer=True)
    outside.send("10.1.0.12", "old", binding="mail-bar", count=30)
    wait_until(lambda: queued(mail) == {("mail-bar", "n2"): 30}, "all wait on n2", PATIENCE)
    mail.machines["n2"].crash()
    outside.take()
    outside.send(FIRST, "new", binding="mail-bar", count=10)
    assert outside.wait_for(10, "new") == Verdict(10, 0, frozenset({BAR}))
    assert not outside.taken("old")
    mail.machines["n2"].power_on()
    assert outside.wait_for(30, "old", PATIENCE) == Verdict(30, 0, frozenset({BAR}))
    wait_for_owners(mail, bar="n2")
    wait_until(lambda: not queued(mail), "nothing is left", PATIENCE)
