"""The program beside Postfix may die or come late: mail that is assigned flows on."""

import re

from lab.processes import wait_for
from mail.conftest import BAR, FOO
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import Outside, Verdict

Pair = list[MailNode]


def test_without_it_mail_flows_by_the_last_tables(pair: Pair, outside: Outside) -> None:
    first, second = pair
    wait_for(lambda: "b-foo:" in first.routes(), "the tables are true", PATIENCE_S, 0.05)
    wait_for(lambda: "bar\tFILTER b-bar:" in second.routes(), "as well", PATIENCE_S, 0.05)
    assert first.sidecar
    first.sidecar.kill()
    outside.take()
    outside.send(first.address, "here", binding="foo", count=5)
    outside.send(first.address, "there", binding="bar", count=5)
    assert outside.wait_for(5, "here").sources == {FOO}
    assert outside.wait_for(5, "there").sources == {BAR}
    first.tell("release", FOO)
    second.tell("take", FOO)
    outside.send(first.address, "late", binding="foo", count=5)
    wait_for(lambda: first.queue()["deferred"] == 5, "it waits", PATIENCE_S, 0.1)
    assert not outside.taken("late")
    first.start_sidecar()
    assert outside.wait_for(5, "late") == Verdict(5, 0, frozenset({FOO}))


def test_while_it_hangs_mail_flows_and_nothing_is_assigned(
    nodes: list[MailNode], outside: Outside
) -> None:
    node = nodes[0]
    file = node.machine.folder / "rules.json"
    file.write_text('[{"sender": "@a.example", "binding": "foo"}]')
    node.options = ["--assign-file", str(file)]
    node.start()
    node.tell("take", FOO)
    wait_for(lambda: "b-foo:" in node.routes(), "the table is true", PATIENCE_S, 0.05)
    assert node.sidecar
    node.sidecar.stop()
    outside.take()
    assert "cannot assign a binding now" in outside.refusal(node.address, sender="u@a.example")
    node.sidecar.resume()
    outside.send(node.address, "h", sender="u@a.example", port=25)
    assert outside.wait_for(1, "h").sources == {FOO}


def test_without_the_agent_the_last_tables_stay(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    wait_for(lambda: "b-foo:" in first.routes(), "the tables are true", PATIENCE_S, 0.05)
    assert first.agent
    assert first.sidecar
    first.agent.kill()
    wait_for(
        lambda: "what was served last still counts" in first.sidecar.output(),  # type: ignore[union-attr]
        "it is noticed",
        PATIENCE_S,
        0.05,
    )
    assert "b-foo:" in first.routes()
    outside.take()
    outside.send(first.address, "a", binding="foo", count=5)
    assert outside.wait_for(5, "a").sources == {FOO}


def test_postfix_may_be_away_and_come_back(pair: Pair, outside: Outside) -> None:
    first, second = pair
    outside.take(defer=True)
    outside.send(first.address, "p", binding="foo", count=20)
    wait_for(lambda: first.queue()["deferred"] == 20, "all are deferred", PATIENCE_S, 0.1)
    first.kill_postfix()
    outside.take()
    first.tell("release", FOO)
    second.tell("take", FOO)
    wait_for(lambda: "mmove:[10.1.1.1]" in first.routes(), "it is noted", PATIENCE_S, 0.05)
    first.start_postfix()
    assert outside.wait_for(20, "p") == Verdict(20, 0, frozenset({FOO}))
    assert first.sidecar
    assert first.sidecar.is_running


def test_it_ends_in_time_and_says_what_it_counted(pair: Pair, outside: Outside) -> None:
    first, _ = pair
    outside.take()
    outside.send(first.address, "m", binding="bar", count=10)
    assert outside.wait_for(10, "m").delivered == 10
    wait_for(
        lambda: 'mmove_total{binding="bar",direction="out",result="sent"} 10.0' in first.metrics(),
        "the moves are counted",
        PATIENCE_S,
        0.2,
    )
    assert "duravip_mail_agent_connected 1.0" in first.metrics()
    assert first.sidecar
    first.sidecar.terminate()
    assert first.sidecar.wait(2) == 0


def test_mailq_shows_what_waits_and_where_for(pair: Pair, outside: Outside) -> None:
    first, second = pair
    second.tell("release", BAR)
    outside.take(defer=True)
    outside.send(first.address, "q", binding="foo", count=3)
    outside.send(first.address, "m", binding="bar", count=2)
    outside.send(first.address, "n", count=1)
    wait_for(lambda: first.queue()["deferred"] == 6, "all are deferred", PATIENCE_S, 0.1)
    found = {(r["binding"], r["domain"]): r["deferred"] for r in first.mailq()}
    outside_domain = "[10.1.0.100]"
    assert found == {
        ("#mmove", BAR): 2,
        ("default", outside_domain): 1,
        ("foo", outside_domain): 3,
    }
    table = first.run("mailq", *first.places())
    assert re.match(r"GROUP/BINDING +DOMAIN +NODE +ACTIVE +DEFERRED +OLDEST\n", table)
    assert re.search(r"^default/#mmove +10\.1\.1\.2 +- +0 +2 +\d+s$", table, re.MULTILINE)


def test_configure_leaves_tables_that_are_there(pair: Pair) -> None:
    first, _ = pair
    wait_for(lambda: "b-foo:" in first.routes(), "the tables are true", PATIENCE_S, 0.05)
    first.run("configure", *first.options_given())
    assert "b-foo:" in first.routes()
