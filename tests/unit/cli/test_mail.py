"""`mailq`, `moves` and `rebind`: what the nodes say, and what is wrong with it."""

import json
from typing import Any

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError, ExitCode
from unit.cli.memory import Memory

FOO = {
    "group": "bulk", "binding": "foo", "domain": "x.example", "active": 1, "deferred": 2,
    "oldest": 1_700_000_000, "reason": "no answer",
}  # fmt: skip
MMOVE = {**FOO, "group": "default", "binding": "#mmove", "domain": "10.1.1.2", "reason": ""}
SENT = {
    "time": "2026-11-30T16:32:53Z", "queue_id": "4jd", "is_taken": False, "address": "10.1.1.2",
    "recipient": "u@x.example", "size": 2048, "result": "sent", "answer": "250 ok",
    "their_queue_id": "5kk", "binding": "foo",
}  # fmt: skip
TAKEN = {**SENT, "queue_id": "5kk", "is_taken": True, "their_queue_id": "", "size": 0}
TRIED = {**SENT, "time": "2026-11-30T16:30:00Z", "result": "deferred", "their_queue_id": "",
         "address": "", "binding": ""}  # fmt: skip


def pod(node: str, **status: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "mail"}
    meta = {"name": f"mail-{node}", "namespace": "duravip-system", "labels": labels}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": "Running", **status}}


@pytest.fixture
def memory() -> Memory:
    """Mail on n1 and n2; the pod of n3 does not run yet, and there is another one on n1."""
    found = Memory()
    other = pod("n1")
    other["metadata"] = {**other["metadata"], "labels": {"app.kubernetes.io/component": "agent"}}
    found.started = [pod("n2"), pod("n1"), pod("n3", phase="Pending"), other]
    found.mail = {"mail-n1": json.dumps([FOO, MMOVE]), "mail-n2": "[]"}
    return found


def called(memory: Memory, *words: str) -> int:
    return run(list(words), lambda _: memory)


def told(memory: Memory, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert called(memory, *words, "-o", "json") == ExitCode.OK
    return json.loads(capsys.readouterr().out)


def test_mailq_shows_the_queues_of_all_nodes(
    memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.mail["mail-n2"] = json.dumps([FOO])
    found = told(memory, capsys, "mailq")
    assert [(row["binding"], row["node"]) for row in found] == [
        ("foo", "n1"), ("foo", "n2"), ("#mmove", "n1"),
    ]  # fmt: skip
    assert found[0]["oldest"] == "2023-11-14T22:13:20Z"
    assert memory.asked[0] == ["duravip-mail", "mailq", "-o", "json"]


def test_mailq_is_a_table_as_of_old(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(memory, "mailq") == ExitCode.OK
    heads, first, second = capsys.readouterr().out.splitlines()
    assert heads.split() == ["GROUP/BINDING", "DOMAIN", "NODE", "ACTIVE", "DEFERRED", "OLDEST"]
    assert first.split()[:5] == ["bulk/foo", "x.example", "n1", "1", "2"]
    assert second.split()[:3] == ["default/#mmove", "10.1.1.2", "n1"]


def test_one_binding_or_one_node(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["binding"] for row in told(memory, capsys, "mailq", "-b", "foo")] == ["foo"]
    assert told(memory, capsys, "mailq", "--node", "n2") == []
    assert called(memory, "mailq", "--node", "n3") == ExitCode.PROBLEM
    assert "no pod of duravip-mail runs on n3" in capsys.readouterr().err


def test_names_and_wide(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    called(memory, "mailq", "-b", "foo", "-o", "name")
    assert capsys.readouterr().out == "vipbinding/foo\n"
    called(memory, "mailq", "-b", "foo", "-o", "wide", "--no-headers")
    assert capsys.readouterr().out.rstrip().endswith("no answer")


def test_an_empty_queue_is_said(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(memory, "mailq", "--node", "n2") == ExitCode.OK
    assert capsys.readouterr().out == "no mail is queued\n"


def test_without_mail_there_is_nothing_to_ask(
    memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.started = []
    for words in (["mailq"], ["moves"], ["rebind", "--all"]):
        assert called(memory, *words) == ExitCode.PROBLEM
        assert "set `mail.enabled`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", ["", "{}", "[1]", "[{}]", json.dumps([{**FOO, "oldest": 1e30}]), "[" * 100_000]
)
def test_a_node_that_says_nonsense_hides_no_other(
    memory: Memory, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    memory.mail["mail-n2"] = said
    assert called(memory, "mailq") == ExitCode.PROBLEM
    shown = capsys.readouterr()
    assert "bulk/foo" in shown.out
    assert "n2: what its duravip-mail says is no answer" in shown.err


def test_a_node_that_does_not_answer_is_named(
    memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.mail["mail-n1"] = CommandError("it has not answered within 30 s")
    assert called(memory, "mailq") == ExitCode.PROBLEM
    shown = capsys.readouterr()
    assert "n1: it has not answered" in shown.err
    assert "no mail is queued" not in shown.out


def test_moves_names_both_nodes(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    memory.mail = {"mail-n1": json.dumps([SENT, TRIED]), "mail-n2": json.dumps([TAKEN])}
    tried, sent = told(memory, capsys, "moves", "--since", "24h")
    assert (sent["from"], sent["to"], sent["binding"], sent["size"]) == ("n1", "n2", "foo", 2048)
    assert (sent["queueId"], sent["queueIdThere"], sent["result"]) == ("4jd", "5kk", "sent")
    assert (tried["from"], tried["to"], tried["result"]) == ("n1", "", "deferred")
    assert memory.asked[0] == ["duravip-mail", "moves", "--since=24h", "-o", "json"]
    called(memory, "moves", "-b", "foo")
    heads, line = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["TIME", "AGO", "FROM", "TO"]
    assert line.split()[-7:] == ["n1", "n2", "foo", "4jd", "5kk", "2048", "sent"]


def test_moves_takes_a_duration(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(memory, "moves", "--since", "yesterday") == ExitCode.USAGE
    assert "is not a duration" in capsys.readouterr().err


def test_rebind_counts_the_messages(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    memory.mail = {"mail-n1": "5 messages are looked at again\n", "mail-n2": "0 messages…\n"}
    assert told(memory, capsys, "rebind", "foo") == [
        {"node": "n1", "messages": 5}, {"node": "n2", "messages": 0},
    ]  # fmt: skip
    assert memory.asked[0] == ["duravip-mail", "rebind", "foo"]
    called(memory, "rebind", "--all", "--node", "n1")
    assert capsys.readouterr().out == "n1: 5 messages are looked at again\n"
    assert memory.asked[-1] == ["duravip-mail", "rebind", "--all"]


def test_rebind_of_what_is_not_there_is_said_once(
    memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.mail = dict.fromkeys(memory.mail, CommandError("there is no binding x"))
    assert called(memory, "rebind", "x") == ExitCode.PROBLEM
    assert capsys.readouterr().err.count("there is no binding x") == 1


@pytest.mark.parametrize("words", [[], ["foo", "--all"]])
def test_rebind_takes_a_name_or_all(
    memory: Memory, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert called(memory, "rebind", *words) == ExitCode.USAGE
    assert "a Binding's name or --all" in capsys.readouterr().err
