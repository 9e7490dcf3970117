"""`status`: one glance."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import Body, Kind
from scenarios.world import World
from unit.cli.memory import Memory, memory_of

OBJECTS = [
    {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}},
    {"kind": "DuraVIP", "name": "web", "spec": {"address": "10.1.1.2", "preference": "n1"}},
    {"kind": "DuraVIP", "name": "in", "namespace": "mail", "spec": {"address": "10.1.1.3"}},
]


@pytest.fixture
def world() -> World:
    return World({"nodes": ["n1", "n2"], "objects": OBJECTS})


def cluster(world: World, renewed_s: float = 1.0) -> Memory:
    memory = memory_of(world)
    renewed = datetime.now(UTC) - timedelta(seconds=renewed_s)
    memory.held = [
        {
            "metadata": {"name": "duravip-operator", "namespace": "duravip-system"},
            "spec": {
                "holderIdentity": "op-1", "leaseTransitions": 7, "renewTime": renewed.isoformat(),
            },
        }
    ]  # fmt: skip
    return memory


def test_a_cluster_that_is_well_fits_on_a_screen(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status"], lambda _: cluster(world)) == ExitCode.OK
    leader, addresses, _, heads, *nodes = capsys.readouterr().out.splitlines()
    assert leader == "leader: op-1, epoch 7, Lease renewed 1 s ago"
    assert addresses == "addresses: 2 Owned"
    assert heads.split() == ["NODE", "READY", "ADDRESSES", "NICS"]
    assert [node.split()[:3] for node in nodes] == [["n1", "True", "1"], ["n2", "True", "1"]]


def test_after_a_crash_it_says_what_moved(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.crash(["n1"])
    world.settle()
    run(["status"], lambda _: cluster(world))
    said = capsys.readouterr().out
    assert "LAST MOVES" in said
    assert "10.1.1.2   n1 -> n2 NodeLost" in said


def test_what_nobody_serves_is_a_problem(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.apply([{"kind": "DuraVIP", "name": "lost", "spec": {"address": "192.0.2.1"}}])
    world.settle()
    assert run(["status"], lambda _: cluster(world)) == ExitCode.PROBLEM
    said = capsys.readouterr().out
    assert "addresses: 2 Owned, 1 Unassigned" in said
    assert "192.0.2.1   Unassigned   -       NoTopology: " in said
    assert run(["status", "-n", "mail"], lambda _: cluster(world)) == ExitCode.OK
    assert "addresses: 1 Owned" in capsys.readouterr().out
    assert run(["status", "-o", "json"], lambda _: cluster(world)) == ExitCode.PROBLEM
    found = json.loads(capsys.readouterr().out)
    assert [row["address"] for row in found["problems"]] == ["192.0.2.1"]


@pytest.mark.parametrize(("renewed_s", "said"), [(60, "it is late"), (None, "nobody leads")])
def test_a_cluster_without_a_leader_is_not_well(
    renewed_s: float | None, said: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = cluster(world, renewed_s or 0.0)
    if renewed_s is None:
        memory.held = []
    assert run(["status"], lambda _: memory) == ExitCode.PROBLEM
    assert said in capsys.readouterr().out


def test_it_goes_on_until_it_is_interrupted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = iter([None, None])

    def sleep(_: float) -> None:
        try:
            next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        run(["status", "-w"], lambda _: cluster(world), sleep)
    assert capsys.readouterr().out.count("leader: op-1") == 3


def test_a_cluster_without_anything_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"], lambda _: Memory()) == ExitCode.PROBLEM
    said = capsys.readouterr().out
    assert "addresses: none" in said
    assert "no node has an agent" in said


class Tenant(Memory):
    """Who may read the addresses of one namespace."""

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        if namespace != "mail":
            raise CommandError(f"you may not list {kind}")
        return super().list(kind, namespace, selector)

    def leader_lease(self) -> None:
        return None


def test_a_tenant_sees_his_own_addresses(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = Tenant(**memory_of(world).lists)
    assert run(["status", "-n", "mail"], lambda _: tenant) == ExitCode.OK
    said = capsys.readouterr().out
    assert "addresses: 1 Owned" in said
    assert "you may not list Node" in said
