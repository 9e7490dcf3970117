"""`services`: Services of type LoadBalancer, and what is wrong with each."""

import json
from typing import Any

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import ExitCode
from unit.cli.memory import Memory

Body = dict[str, Any]
TIME = "2026-01-01T00:00:00Z"


def service(name: str, *addresses: str, ready: str = "", **spec: Any) -> Body:
    """A Service with these addresses; `ready` is what the operator says of it, `reason: text`."""
    status: Body = {"loadBalancer": {"ingress": [{"ip": a, "ipMode": "VIP"} for a in addresses]}}
    if ready:
        reason, _, message = ready.partition(": ")
        status["conditions"] = [
            {"type": "duravip.io/Ready", "status": str(reason == "Served"), "reason": reason,
             "message": message, "lastTransitionTime": TIME}
        ]  # fmt: skip
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": {"app": name}}
    ours = {"type": "LoadBalancer", "loadBalancerClass": "duravip.io/vip", "ports": [{"port": 80}]}
    return {"metadata": metadata, "spec": ours | spec, "status": status}


def vip(
    owner: str, address: str, state: str = "Owned", *conditions: Body, node: str = "n1"
) -> Body:
    """The DuraVIP that was generated for a Service."""
    reference = {"apiVersion": "v1", "kind": "Service", "name": owner, "uid": f"uid-{owner}"}
    metadata = {
        "name": f"svc-{owner}",
        "namespace": "shop",
        "labels": {"duravip.io/service": owner},
        "annotations": {"duravip.io/pool": "lan"},
        "ownerReferences": [reference],
    }
    served = {"owner": node} if state == "Owned" else {}
    status = {"state": state, **served, "conditions": list(conditions)}
    return {"metadata": metadata, "spec": {"address": address}, "status": status}


def condition(kind: str, reason: str, message: str, status: str = "True") -> Body:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def rows(memory: Memory, capsys: pytest.CaptureFixture[str], *words: str) -> list[Body]:
    run(["services", *words, "-o", "json"], lambda _: memory)
    found: list[Body] = json.loads(capsys.readouterr().out)
    return found


def test_a_service_is_shown_with_its_address_owner_and_pool(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = Memory(
        Service=[service("web", "10.1.1.5", ready="Served: n1 serves it")],
        DuraVIP=[vip("web", "10.1.1.5"), {"metadata": {"name": "own", "namespace": "shop"}}],
    )
    assert run(["services"], lambda _: memory) == ExitCode.OK
    heads, line = capsys.readouterr().out.splitlines()
    assert heads.split() == ["NAMESPACE", "NAME", "ADDRESSES", "OWNER", "STATE", "POOL", "PROBLEM"]
    assert line.split() == ["shop", "web", "10.1.1.5", "n1", "Owned", "lan", "-"]
    assert run(["services", "--no-headers", "-o", "wide"], lambda _: memory) == ExitCode.OK
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[7:] == ["duravip.io/vip", "Cluster", "TCP/80", "svc-web"]


def test_both_families_of_a_service_stand_in_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(
        Service=[service("web", "10.1.1.5", "fd00::5", ready="Served: both")],
        DuraVIP=[vip("web", "10.1.1.5"), vip("web", "fd00::5", "Moving", node="n2")],
    )
    (row,) = rows(memory, capsys)
    assert (row["addresses"], row["owners"], row["state"]) == (
        ["10.1.1.5", "fd00::5"], ["n1"], "Owned,Moving",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "vips", "wanted"),
    [
        (service("web"), [], "no operator has answered it"),
        (service("web", ready="PoolExhausted: no address is free"), [],
         "PoolExhausted: no address is free"),
        (service("web", "10.1.1.5", "10.9.9.9", ready="Served: x"), [vip("web", "10.1.1.5")],
         "two controllers: 10.9.9.9 in its status"),
        (service("web", "10.1.1.5", ready="Served: x"),
         [vip("web", "10.1.1.5", "Unassigned",
              condition("Ready", "NoParticipant", "no node may", "False"))],
         "10.1.1.5: NoParticipant: no node may"),
        (service("web", "10.1.1.5", ready="Served: x"),
         [vip("web", "10.1.1.5", "Owned",
              condition("NoFitNode", "NoReadyEndpoint", "no ready endpoint"))],
         "10.1.1.5: NoReadyEndpoint: no ready endpoint"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once(
    capsys: pytest.CaptureFixture[str], there: Body, vips: list[Body], wanted: str
) -> None:
    (row,) = rows(memory := Memory(Service=[there], DuraVIP=vips), capsys)
    (problem,) = row["problems"]
    assert problem.startswith(wanted)
    assert run(["services"], lambda _: memory) == ExitCode.PROBLEM


def test_services_of_others_are_shown_only_if_they_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = Memory(
        Service=[
            service("theirs", "10.1.1.6", loadBalancerClass="metallb.io/metallb"),
            service("unclaimed", loadBalancerClass=""),
            service("left", loadBalancerClass="", ready="NotOurs: it is not"),
            service("adopted", "10.1.1.7", loadBalancerClass="", ready="Served: x"),
        ],
        DuraVIP=[vip("adopted", "10.1.1.7")],
    )
    assert [row["name"] for row in rows(memory, capsys)] == ["adopted"]
    (theirs,) = rows(memory, capsys, "theirs")
    assert theirs["problems"] == ["not ours: its loadBalancerClass is metallb.io/metallb"]
    (unclaimed,) = rows(memory, capsys, "shop/unclaimed")
    assert "--default-load-balancer" in unclaimed["problems"][0]
    assert run(["services", "nobody"], lambda _: memory) == ExitCode.PROBLEM
    assert "there is no Service of type LoadBalancer nobody" in capsys.readouterr().err


def test_labels_and_names_select(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(Service=[service("a", ready="Served: x"), service("b", ready="Served: x")])
    assert [row["name"] for row in rows(memory, capsys, "-l", "app=b")] == ["b"]
    assert run(["services", "-o", "name", "-n", "shop"], lambda _: memory) == ExitCode.OK
    assert capsys.readouterr().out == "service/a\nservice/b\n"
    assert run(["services", "-n", "bank"], lambda _: memory) == ExitCode.OK
    assert "no Service of type LoadBalancer" in capsys.readouterr().out


def test_a_watch_prints_what_changes(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(Service=[service("a", ready="Served: x")], DuraVIP=[vip("a", "10.1.1.5")])
    steps = iter([vip("a", "10.1.1.5"), vip("a", "10.1.1.5", node="n2"), None])

    def sleep(_: float) -> None:
        if (following := next(steps)) is None:
            raise KeyboardInterrupt
        memory.lists["DuraVIP"] = [following]

    with pytest.raises(KeyboardInterrupt):
        run(["services", "-w"], lambda _: memory, sleep)
    heads, first, second = capsys.readouterr().out.splitlines()
    assert heads.startswith("NAMESPACE")
    assert [line.split()[3] for line in (first, second)] == ["n1", "n2"]


def test_yaml_is_a_list_of_rows(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(Service=[service("a", "10.1.1.5", ready="Served: x")])
    assert run(["services", "-o", "yaml"], lambda _: memory) == ExitCode.OK
    assert "addresses:\n- 10.1.1.5\n" in capsys.readouterr().out
