"""The verbs that look: show, history, nodes, groups; and how a call can go wrong."""

import json
import time
from typing import Any

import pytest

from duravip_api.reasons import MoveReason
from duravip_cli.__main__ import VERBS, run
from duravip_cli.errors import CommandError, ExitCode
from scenarios.world import World
from unit.cli.memory import Memory, memory_of

OBJECTS = [
    {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}},
    {"kind": "Binding", "name": "out", "namespace": "mail",
     "spec": {"address": "10.1.1.10", "preference": "n1", "group": "g"}},
    {"kind": "DuraVIP", "name": "in", "namespace": "mail",
     "spec": {"address": "10.1.1.9", "follow": "out"}},
    {"kind": "DuraVIP", "name": "web", "spec": {"address": "10.1.1.2"}},
    {"kind": "DuraVIP", "name": "web-too",
     "spec": {"address": "10.1.1.2", "enableDuravip": False}},
    {"kind": "DuraVIP", "name": "v6", "spec": {"address": "fd00::1"}},
    {"kind": "Binding", "name": "bare", "namespace": "mail", "spec": {}},
]  # fmt: skip


@pytest.fixture
def world() -> World:
    return World({"nodes": ["n1", "n2"], "objects": OBJECTS})


def _json(memory: Memory, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run([*words, "-o", "json"], lambda _: memory) == ExitCode.OK
    return json.loads(capsys.readouterr().out)


def test_show_has_one_row_an_address_with_everybody_on_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _json(memory_of(world), capsys, "show")
    assert [u["address"] for u in found] == ["10.1.1.2", "10.1.1.9", "10.1.1.10", "fd00::1", ""]
    web, follower, leader, v6, bare = found
    assert web["entities"] == ["DuraVIP default/web", "DuraVIP default/web-too"]
    assert (follower["owner"], follower["follows"], leader["preference"]) == ("n1", "out", "n1")
    assert (v6["state"], v6["reason"], bare["state"]) == ("Unassigned", "NoTopology", "Unmanaged")


def test_show_takes_addresses_and_names_and_a_namespace(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = memory_of(world)
    for given in ("fd00:0::1", "v6", "default/v6"):
        assert [u["address"] for u in _json(memory, capsys, "show", given)] == ["fd00::1"]
    assert len(_json(memory, capsys, "-n", "mail", "show")) == 3
    assert len(_json(memory, capsys, "show", "-n", "mail", "-A")) == 5


def test_show_tells_the_last_move_for_people(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.crash(["n1"])
    world.settle()
    assert run(["show", "out", "-o", "wide"], lambda _: memory_of(world)) == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["ADDRESS", "OWNER", "STATE", "FLAGS"]
    assert "n1 -> n2 NodeLost" in row
    assert "gap 0 ms" in row


def test_an_unknown_address_is_said_in_one_line(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = memory_of(world)
    for verb in ("show", "why", "history"):
        assert run([verb, "10.9.9.9"], lambda _: memory) == 1
        said = capsys.readouterr().err
        assert said == "kubectl-duravip: no DuraVIP or Binding has the address or name 10.9.9.9\n"


def test_a_name_that_stands_for_two_addresses_is_not_guessed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    again = {"kind": "DuraVIP", "name": "out", "spec": {"address": "10.1.1.77"}}
    world.apply([again])
    world.settle()
    assert run(["why", "out"], lambda _: memory_of(world)) == 1
    assert "10.1.1.10, 10.1.1.77" in capsys.readouterr().err
    assert run(["why", "out", "-n", "mail"], lambda _: memory_of(world)) == 0


def test_history_is_in_order_and_ends_with_what_the_status_knows(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = memory_of(world)
    memory.about = [
        _event("Binding", "2025-01-02T00:00:00Z", "second"),
        _event("Binding", "2025-01-02T00:00:00.5Z", "third, told more exactly"),
        _event("Binding", "2025-01-01T00:00:00Z", "first"),
        _event("DuraVIP", "2025-01-01T00:00:00Z", "about another object of this name"),
    ]
    found = _json(memory, capsys, "history", "10.1.1.10")
    assert [e["message"] for e in found] == [
        "first", "second", "third, told more exactly",
        "last move: 10.1.1.10 went to n1, its first owner",
    ]  # fmt: skip


def test_what_happens_to_several_objects_at_once_is_one_line(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = memory_of(world)
    memory.about = [
        _event("Binding", "2025-01-02T00:00:00.123456Z", "moved"),
        _event("DuraVIP", "2025-01-02T00:00:00.9Z", "moved") | {
            "involvedObject": {"kind": "DuraVIP", "namespace": "mail", "name": "in"}
        },
        _event("DuraVIP", "2025-01-02T00:00:00Z", "of an object that is gone"),
    ]  # fmt: skip
    assert run(["history"], lambda _: memory) == ExitCode.OK
    heads, moved, *rest = capsys.readouterr().out.splitlines()
    assert heads.split() == ["TIME", "AGO", "REASON", "MESSAGE", "OBJECTS"]
    assert moved.startswith("2025-01-02 00:00:00   ")
    assert moved.split()[-5:] == ["moved", "Binding", "mail/out,", "DuraVIP", "mail/in"]
    assert all("last move" in line for line in rest)
    assert not any("gone" in line for line in rest)
    assert run(["history", "-n", "nowhere"], lambda _: memory) == ExitCode.OK
    assert capsys.readouterr().out == "nothing is known to have happened\n"


def test_a_move_of_which_there_is_an_event_is_told_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = memory_of(world)
    move = memory.lists["Binding"][0]["status"]["lastMove"]
    memory.about = [
        _event("Binding", str(move["time"]), "to its first owner") | {"reason": move["reason"]}
    ]
    (entry,) = _json(memory, capsys, "history", "vipbinding/out")
    assert entry["message"] == "to its first owner"


def _event(kind: str, when: str, message: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "mail"},
        "involvedObject": {"kind": kind, "namespace": "mail", "name": "out"},
        "reason": str(MoveReason.ELECTED),
        "message": message,
        "lastTimestamp": when,
    }


def test_nodes_shows_both_sides_and_the_interfaces(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.exclude(["n2"])
    world.settle()
    world.machines["n2"].plumbing["status"]["failures"] = [
        {"address": "10.1.1.2", "message": "no"}
    ]
    one, two = _json(memory_of(world), capsys, "nodes")
    assert (one["ready"], one["granted"], one["served"], one["excluded"]) == ("True", 3, 3, "")
    assert (two["granted"], two["excluded"], len(two["failures"])) == (0, "true", 1)
    assert [nic["addresses"] for nic in one["nics"]] == [[], ["10.1.0.11/16"]]
    assert run(["nodes", "n2", "-o", "wide"], lambda _: memory_of(world)) == 0
    shown = capsys.readouterr().out
    assert "10.1.0.12/16" in shown
    assert "failure   10.1.1.2" in shown
    assert run(["nodes", "n9"], lambda _: memory_of(world)) == 1


def test_groups_names_the_nodes_that_no_binding_prefers(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (group,) = _json(memory_of(world), capsys, "groups")
    assert (group["namespace"], group["group"], group["missing"]) == ("mail", "g", ["n2"])
    off = {"address": "10.1.1.11", "preference": "n2", "group": "g", "enableDuravip": False}
    world.apply([{"kind": "Binding", "name": "off", "namespace": "mail", "spec": off}])
    assert _json(memory_of(world), capsys, "groups", "g")[0]["missing"] == ["n2"]
    assert run(["groups", "h"], lambda _: memory_of(world)) == 1


def test_ten_thousand_units_are_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    bodies = [
        {
            "metadata": {"name": f"d{n}", "namespace": "default", "generation": 1},
            "spec": {"address": f"10.1.{n // 250}.{n % 250 + 1}"},
            "status": {"state": "Owned", "owner": "n1", "since": "2026-01-01T00:00:00Z"},
        }
        for n in range(10240)
    ]
    started = time.process_time()
    assert run(["show"], lambda _: Memory(DuraVIP=bodies)) == 0
    assert time.process_time() - started < 2
    assert len(capsys.readouterr().out.splitlines()) == 10241


def test_every_verb_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit) as end:
            run([verb, "--help"])
        assert not end.value.code
        said = capsys.readouterr().out
        assert f"kubectl duravip {verb}" in said
        assert "--output {json" in said or verb == "completion"


def test_the_menu_holds_what_the_contract_lists() -> None:
    assert set(VERBS) == {
        "show", "why", "history", "nodes", "neighbours", "groups", "move", "drain", "undrain",
        "mailq", "moves", "rebind",
        "announce", "release", "reset", "simulate", "validate", "import", "doctor", "services",
        "version", "completion", "status",
    }  # fmt: skip


def test_without_a_verb_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["-n", "mail"]):
        assert run(words) == ExitCode.OK
        assert "exit codes:" in capsys.readouterr().out


def test_wrong_usage_and_a_missing_permission_are_told_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = Memory()
    memory.refusal = CommandError("you may not list\nduravips")
    assert run(["push", "10.1.1.1", "n1"]) == ExitCode.USAGE
    assert run(["show", "--frobnicate"]) == ExitCode.USAGE
    assert run(["show"], lambda _: memory) == ExitCode.PROBLEM
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "kubectl-duravip: you may not list duravips"


def test_a_kubeconfig_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "--kubeconfig", "/nonexistent/config"]) == ExitCode.USAGE
    assert "/nonexistent/config" in capsys.readouterr().err
