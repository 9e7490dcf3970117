"""Datagrams that are forged: by nobody whom we know, and by who has the key of one node."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.expected import (
    ADDRESSES,
    OTHERS,
    OWNERS,
    UNNOTICED,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
)
from faults.fleets import OPERATORS, plumbings
from lab.cluster import Lab
from lab.fleet import PULSE_PORT, Fleet, wait_until
from lab.machines import Machine

TESTS = Path(__file__).parents[1]
HERE = Path(__file__).parent
SECONDS = 10
A_SECOND = 20_000
MOST_MEMORY = 200 * 1024
"""KiB of any process of ours, in a cluster of three nodes."""
SLACK = 16 * 1024
"""KiB that a process may have grown meanwhile."""


def python(machine: Machine, program: str, *arguments: str) -> str:
    argv = ["env", f"PYTHONPATH={TESTS}", sys.executable, str(HERE / program), *arguments]
    return machine.run(argv, timeout=120).strip()


def sockets(machine: Machine) -> list[tuple[str, int]]:
    """The ends of the agent's connected sockets there."""
    found = []
    for line in machine.run(["cat", "/proc/net/udp"]).splitlines()[1:]:
        local, remote = line.split()[1:3]
        host, port = local.split(":")
        if int(remote.split(":")[1], 16) == PULSE_PORT:
            octets = reversed(bytes.fromhex(host))
            found.append((".".join(map(str, octets)), int(port, 16)))
    return found


def operators(lab: Lab) -> list[tuple[str, int, str]]:
    """Where each replica is heard, and its public key, as agents are told."""
    spec = plumbings(lab)["n1"]["spec"]
    return [
        (where.rpartition(":")[0], PULSE_PORT, key)
        for where, key in zip(spec["pulse"], spec["pulseKeys"], strict=True)
    ]


def generations(lab: Lab) -> dict[str, tuple[int, str]]:
    """What would tell of a decision, or of an agent that lost something."""
    return {
        name: (body["metadata"]["generation"], json.dumps(body["status"].get("served")))
        for name, body in plumbings(lab).items()
    }


def memory(fleet: Fleet) -> dict[int, int]:
    """KiB of every process of ours, those that the operators have started included."""
    found = {}
    for process in (*fleet.operators.values(), *fleet.agents.values()):
        family = [process.pid]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [*family, *map(int, children)]:
            status = Path(f"/proc/{pid}/status").read_text()
            found[pid] = int(status.partition("VmRSS:")[2].split()[0])
    return found


def test_a_flood_of_unsigned_datagrams_changes_nothing(lab: Lab, fleet: Fleet) -> None:
    ends: list[tuple[str, int]] = []

    def are_all_known() -> bool:
        ends[:] = [(host, port) for host, port, _ in operators(lab)]
        ends.extend(end for node in ("n1", "n2", "n3") for end in sockets(lab.machines[node]))
        return len(ends) == len(OPERATORS) + 3 * len(OPERATORS)

    wait_until(are_all_known, "every agent beats to every replica")
    before, known = memory(fleet), generations(lab)
    # Each process gets so many: an agent has a socket for each replica, an operator has one.
    where = [*ends[: len(OPERATORS)], *ends]
    each = A_SECOND // len(OPERATORS)
    with lab.observe(ADDRESSES) as seen:
        targets = [f"{host}:{port}" for host, port in where]
        sent = python(lab.machines["n2"], "flooder.py", str(SECONDS), str(each), *targets)
    processes = len(OPERATORS) + len(OWNERS)
    print(f"sent {int(sent) / SECONDS / processes:.0f} a second to each of {processes} processes")
    assert_one_owner(seen.sight)
    assert seen.sight.owners() == OWNERS
    assert seen.sight.worst_gap() < UNNOTICED
    assert generations(lab) == known
    after = memory(fleet)
    assert after.keys() == before.keys()
    assert all(after[pid] < min(MOST_MEMORY, before[pid] + SLACK) for pid in before)


@pytest.fixture
def stolen(fleet: Fleet, tmp_path: Path) -> Iterator[str]:
    """The private key of n3's agent, which runs on."""
    file = tmp_path / "stolen"
    fleet.agents["n3"].terminate()
    fleet.agents["n3"].wait()
    fleet.start_agent("n3", program=(sys.executable, str(HERE / "leaky_agent.py"), str(file)))
    wait_until(file.exists, "the agent has started")
    home(fleet)
    yield file.read_text()
    fleet.agents["n3"].kill()
    fleet.start_agent("n3")
    home(fleet)


def forge(lab: Lab, secret: str, *kinds: str, seconds: float = 5) -> None:
    boots = {n: body["status"]["agent"]["boot"] for n, body in plumbings(lab).items()}
    plan: dict[str, Any] = {
        "secret": secret,
        "node": "n3",
        "boots": boots,
        "operators": operators(lab),
        "agents": sockets(lab.machines["n3"]),
        "kinds": kinds,
        "seconds": seconds,
    }
    for machine in OPERATORS:  # what is to look as if it came from an operator starts beside it
        address = lab.machines[machine].blueprint.nics[0].addresses[0].partition("/")[0]
        mine = [entry for entry in plan["operators"] if entry[0] == address]
        sent = python(lab.machines[machine], "forger.py", json.dumps({**plan, "operators": mine}))
        assert int(sent) > 0


def assert_without_effect(lab: Lab, secret: str, kind: str) -> None:
    """Nobody decides anything after such datagrams, and no address suffers."""
    known = generations(lab)
    with lab.observe(ADDRESSES) as seen:
        forge(lab, secret, kind)
        time.sleep(1)
    assert_one_owner(seen.sight)
    assert seen.sight.owners() == OWNERS
    assert seen.sight.worst_gap() < UNNOTICED
    assert generations(lab) == known


@pytest.mark.parametrize("kind", ["others", "boot", "types", "sights", "acks"])
def test_with_one_nodes_key_nobody_loses_an_address_and_none_answers_twice(
    lab: Lab, fleet: Fleet, stolen: str, kind: str
) -> None:
    processes = memory(fleet).keys()
    assert_without_effect(lab, stolen, kind)
    assert memory(fleet).keys() == processes
    # All of it still works, n3 included: what is preferred there goes there and back.
    lab.kubectl("label", "node", "n3", "node.kubernetes.io/exclude-from-external-load-balancers=")
    wait_until(lambda: fleet.owners()[VICTIM] not in {"", "n3"}, "n3 has given its address away")
    lab.kubectl("label", "node", "n3", "node.kubernetes.io/exclude-from-external-load-balancers-")
    home(fleet)


def test_who_has_a_nodes_key_can_make_that_node_unheard_and_no_other_one(
    lab: Lab, fleet: Fleet, stolen: str
) -> None:
    with lab.observe(ADDRESSES) as seen:
        forge(lab, stolen, "own", "others", "acks")
        time.sleep(3)
    assert all(double.address == VICTIM for double in seen.sight.doubles)
    assert_others_undisturbed(seen.sight)
    assert seen.sight.owners().keys() == OWNERS.keys()
    assert all(fleet.owners()[address] == OWNERS[address] for address in OTHERS)


def test_keys_change_with_every_start_and_nobody_grows_deaf(lab: Lab, fleet: Fleet) -> None:
    """Each replica in turn starts anew and then leads; at last an agent starts anew."""
    with lab.observe(ADDRESSES) as seen:
        for restarted, other in (OPERATORS, OPERATORS[::-1]):
            known = {key for *_, key in operators(lab)}
            fleet.operators[restarted].kill()
            fleet.start_operator(restarted)
            wait_until(lambda: fleet.leader() == other, "the other one leads")  # noqa: B023
            wait_until(lambda: has_new_key(lab, known), "the agents know its new key", 15)  # noqa: B023
            wait_until(lambda: fleet.served() == {n: [a] for a, n in OWNERS.items()}, "all serve")
    assert_one_owner(seen.sight)
    assert seen.sight.owners() == OWNERS
    assert seen.sight.worst_gap() < UNNOTICED
    before = plumbings(lab)["n3"]["status"]["agent"]
    fleet.agents["n3"].terminate()
    fleet.agents["n3"].wait()
    fleet.start_agent("n3")
    home(fleet)
    after = plumbings(lab)["n3"]["status"]["agent"]
    assert after["boot"] != before["boot"]
    assert after["publicKey"] != before["publicKey"]


def has_new_key(lab: Lab, known: set[str]) -> bool:
    now = {key for *_, key in operators(lab)}
    return len(now) == len(OPERATORS) and bool(now - known)
