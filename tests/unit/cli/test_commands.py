"""`move`, `release`, `announce`, `reset`, `neighbours`: what is written, refused, waited for."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from duravip_api.annotations import (
    ANNOUNCE,
    LIST_NEIGHBOURS,
    MOVE_TO,
    RELEASE_FROM,
    RESET,
    parse_request,
)
from duravip_cli.__main__ import run
from duravip_cli.errors import ExitCode
from duravip_cli.objects import Body, Kind
from scenarios.world import World
from unit.cli.memory import Memory, memory_of

OBJECTS = [
    {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}},
    {"kind": "Topology", "name": "one",
     "spec": {"cidr": "10.2.0.0/16", "interface": "eth1", "nodeSelector": {"alone": "yes"}}},
    {"kind": "DuraVIP", "name": "web", "spec": {"address": "10.1.1.1"}},
    {"kind": "DuraVIP", "name": "web-too", "spec": {"address": "10.1.1.1"}},
    {"kind": "Binding", "name": "out", "namespace": "mail",
     "spec": {"address": "10.1.1.10", "group": "g"}},
    {"kind": "DuraVIP", "name": "in", "namespace": "mail",
     "spec": {"address": "10.1.1.9", "follow": "out"}},
    {"kind": "Binding", "name": "fixed", "namespace": "mail",
     "spec": {"address": "10.1.1.11", "group": "g", "preference": "n1"}},
    {"kind": "Binding", "name": "bare", "namespace": "mail", "spec": {"group": "empty"}},
    {"kind": "DuraVIP", "name": "alone", "spec": {"address": "10.2.0.1"}},
    {"kind": "DuraVIP", "name": "off", "spec": {"address": "10.1.1.12", "enableDuravip": False}},
]  # fmt: skip
NODES = {"n1": {"labels": {"alone": "yes"}}, "n2": {}, "n3": {"interfaces": ["eth0"]}}
FIELDS = {ANNOUNCE: "announce", RESET: "reset", LIST_NEIGHBOURS: "neighbours"}


class Cluster(Memory):
    """Whose operator and agents do at once what they are asked, unless they are deaf."""

    is_deaf = False

    def annotate(self, kind: Kind, body: Body, values: Mapping[str, str | None]) -> None:
        super().annotate(kind, body, values)
        name, space = body["metadata"]["name"], body["metadata"].get("namespace", "")
        held: Any = self.read(kind, name, space)
        if self.is_deaf:
            return
        for annotation, value in values.items():
            request = parse_request(value or "")
            if annotation == MOVE_TO and request:
                _move(held, request.node)
            elif annotation == RELEASE_FROM and request:
                _move(held, "n2" if request.node == "n1" else "n1")
            elif annotation in FIELDS and value:
                held["status"]["requests"] = {FIELDS[annotation]: value.partition(" ")[0]}


def _move(body: Any, node: str) -> None:
    status = body["status"]
    move = {"from": status["owner"], "to": node, "reason": "Requested", "gapMilliseconds": 12}
    status["lastMove"] = {**move, "time": "2026-01-01T00:00:00.000001Z"}
    status["owner"] = node


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster(**memory_of(World({"nodes": NODES, "objects": OBJECTS})).lists)
    for body in found.lists["NodePlumbing"]:
        body["status"]["observedGeneration"] = body["metadata"]["generation"]
    return found


def _run(cluster: Cluster, *words: str, typed: str | None = None) -> int:
    return run([*words], lambda _: cluster, lambda _: None, lambda _: typed)


def _owner(cluster: Cluster, name: str, namespace: str = "default") -> str:
    kind: Kind = "Binding" if namespace == "mail" else "DuraVIP"
    body = cluster.read(kind, name, namespace)
    assert body
    return str(body["status"]["owner"])


def _notes(cluster: Cluster, kind: Kind, name: str) -> dict[str, str]:
    body = cluster.read(kind, name)
    assert body
    return dict(body["metadata"].get("annotations") or {})


def _other(cluster: Cluster, name: str, namespace: str = "default") -> str:
    return "n2" if _owner(cluster, name, namespace) == "n1" else "n1"


def test_a_move_is_written_on_the_oldest_and_its_gap_is_told(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    former, node = _owner(cluster, "web"), _other(cluster, "web")
    assert _run(cluster, "move", "web-too", node) == 0
    assert capsys.readouterr().out == f"10.1.1.1 has moved from {former} to {node}, gap 12 ms\n"
    request = parse_request(_notes(cluster, "DuraVIP", "web")[MOVE_TO])
    assert request
    assert request.node == node
    assert _notes(cluster, "DuraVIP", "web-too") == {}
    assert _run(cluster, "move", "10.1.1.1", "--cancel") == 0
    assert _notes(cluster, "DuraVIP", "web") == {}


def test_what_is_done_with_is_cleaned_up_by_whoever_asked_for_it(cluster: Cluster) -> None:
    assert _run(cluster, "release", "web") == 0
    assert _notes(cluster, "DuraVIP", "web") == {}


def test_what_is_held_shows(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    body = next(b for b in cluster.lists["DuraVIP"] if b["metadata"]["name"] == "web")
    held = {"type": "Held", "status": "True", "reason": "Held", "message": "by somebody"}
    body["status"]["conditions"].append(held)
    assert _run(cluster, "show", "web") == 0
    assert " Held " in capsys.readouterr().out
    assert _run(cluster, "show", "web", "-o", "json") == 0
    (unit,) = json.loads(capsys.readouterr().out)
    assert (unit["held"], unit["flags"]) == (_owner(cluster, "web"), "-")


def test_a_newer_request_takes_the_place_of_an_older_one(cluster: Cluster) -> None:
    assert _run(cluster, "release", "web", "--no-wait") == 0
    assert set(_notes(cluster, "DuraVIP", "web")) == {RELEASE_FROM}
    assert _run(cluster, "move", "web", _owner(cluster, "web")) == 0
    assert set(_notes(cluster, "DuraVIP", "web")) == {MOVE_TO}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("10.1.1.11 n2", "its preference names n1: change that instead"),
        ("10.1.1.9 n2", "it follows 10.1.1.10, and goes where that goes: name that one"),
        ("web n9", "NodeUnknown: there is no such Node"),
        (
            "web n3",
            "InterfaceMissing: the node has no interface that the Topology asks for (eth1)",
        ),
        ("alone n2", "SelectorMismatch: the Node's labels do not match a nodeSelector"),
        ("off n2", "it is Unmanaged: NotEnabled"),
    ],
)
def test_a_move_that_cannot_be_is_refused_in_the_words_of_the_enum(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], words: str, why: str
) -> None:
    assert _run(cluster, "move", *words.split()) == ExitCode.PROBLEM
    assert f"cannot be moved to {words.split()[1]}: {why}" in capsys.readouterr().err


def test_a_move_that_does_not_happen_says_how_to_take_it_back(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.is_deaf = True
    assert (
        _run(cluster, "move", "web", _other(cluster, "web"), "--timeout", "0") == ExitCode.PROBLEM
    )
    assert "take it back with `kubectl duravip move --cancel 10.1.1.1`" in capsys.readouterr().err
    assert _run(cluster, "move", "web", _other(cluster, "web"), "--no-wait") == 0


def test_a_group_is_released_but_for_what_must_stay(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    node = _other(cluster, "out", "mail")
    assert _run(cluster, "release", "--group", "g", "-o", "json") == ExitCode.PROBLEM
    free, fixed = json.loads(capsys.readouterr().out)
    assert (free["address"], free["to"], free["gapMilliseconds"]) == ("10.1.1.10", node, 12)
    assert fixed["problem"].startswith("its preference names n1, which would take it back")


def test_a_group_without_addresses_releases_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = next(b for b in cluster.lists["Binding"] if b["metadata"]["name"] == "bare")
    assert bare["spec"] == {"group": "empty"}
    assert _run(cluster, "release", "--group", "empty") == ExitCode.PROBLEM
    assert "no Binding of the group empty has an address" in capsys.readouterr().err
    assert all(RELEASE_FROM not in (b["metadata"].get("annotations") or {})
               for kind in ("DuraVIP", "Binding") for b in cluster.lists[kind])  # fmt: skip


def test_what_a_node_owns_is_released_without_its_followers(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(cluster, "release", "--from", "n1", "-o", "json")
    found = {one["address"]: one["problem"] for one in json.loads(capsys.readouterr().out)}
    assert "10.1.1.9" not in found
    assert found["10.2.0.1"] == "no other node may take it"
    assert _run(cluster, "release", "--from", "n9") == ExitCode.PROBLEM
    assert _run(cluster, "release") == ExitCode.USAGE


def test_all_of_a_node_is_released_at_once(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(cluster, "move", "web", "n2")
    _run(cluster, "move", "mail/out", "n2")
    capsys.readouterr()
    assert _run(cluster, "release", "--all", "--node", "n2", "-o", "json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {(one["address"], one["from"], one["to"]) for one in said} >= {
        ("10.1.1.1", "n2", "n1"), ("10.1.1.10", "n2", "n1"),
    }  # fmt: skip
    assert _run(cluster, "release", "--all", "--from", "n2") == 0
    assert capsys.readouterr().out == "there is nothing to release\n"


def test_what_is_not_released_in_time_is_said_of_each(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.is_deaf = True
    words = ("release", "web", "mail/out", "-o", "json")
    assert _run(cluster, *words, "--timeout", "0") == ExitCode.PROBLEM
    problems = [one["problem"] for one in json.loads(capsys.readouterr().out)]
    assert problems == 2 * ["still there after 0 s"]
    assert _run(cluster, *words, "--no-wait") == 0  # asked for again, which changes nothing


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--all", "say what to release: of which node: --from NODE"),
        ("--all --from n1 web", "give either --all or what to release"),
        ("--all --from n1 --group g", "give either --all or what to release"),
    ],
)
def test_all_is_all_of_one_node(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], words: str, why: str
) -> None:
    assert _run(cluster, "release", *words.split()) == ExitCode.USAGE
    assert why in capsys.readouterr().err


def test_owners_are_asked_to_announce(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = _owner(cluster, "web")
    assert _run(cluster, "announce", "web") == 0
    assert capsys.readouterr().out == f"{owner} announces 10.1.1.1\n"
    _, _, addresses = _notes(cluster, "NodePlumbing", owner)[ANNOUNCE].partition(" ")
    assert addresses == "10.1.1.1"
    assert _run(cluster, "announce") == 0
    assert all(" " not in _notes(cluster, "NodePlumbing", n)[ANNOUNCE] for n in NODES)
    assert _run(cluster, "announce", "off") == ExitCode.PROBLEM


def test_an_agent_that_does_not_answer_is_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.is_deaf = True
    assert _run(cluster, "neighbours", "n2", "--timeout", "0") == ExitCode.PROBLEM
    assert "no answer within 0 s from the agent of n2" in capsys.readouterr().err


def test_a_reset_wants_the_nodes_name_or_yes(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(cluster, "reset", "n1") == ExitCode.USAGE
    assert _run(cluster, "reset", "n1", typed="n2\n") == ExitCode.PROBLEM
    assert _notes(cluster, "NodePlumbing", "n1") == {}
    assert _run(cluster, "reset", "n1", typed="n1\n") == 0
    assert "n1 has begun anew, and serves" in capsys.readouterr().out
    assert RESET in _notes(cluster, "NodePlumbing", "n1")
    assert _run(cluster, "reset", "--all", "--yes") == 0
    assert _run(cluster, "reset", "n1", "--all", "--yes") == ExitCode.USAGE


def test_neighbours_says_which_are_ours(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, _ = cluster.lists["NodePlumbing"]
    second["status"]["nics"] = [{"name": "eth1", "mac": "02::2", "addresses": ["10.1.0.12/16"]}]
    second["status"]["served"] = ["10.1.1.1"]
    known = [("10.1.0.12", "02::2"), ("10.1.1.1", "02::2"), ("fd00::7", "02::2"), ("10.1.0.1", "")]
    first["status"]["neighbours"] = [
        {"interface": "eth1", "address": address, "mac": mac, "state": "STALE"}
        for address, mac in known
    ]
    assert _run(cluster, "neighbours", "n1", "-o", "json") == 0
    found = {row["address"]: row["ours"] for row in json.loads(capsys.readouterr().out)}
    assert found == {"10.1.0.12": "n2", "10.1.1.1": "n2 (DuraVIP)", "fd00::7": "n2",
                     "10.1.0.1": ""}  # fmt: skip
