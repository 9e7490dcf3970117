"""Somebody adds one of our addresses to a host that is none of ours."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.objects import apply, duravip
from faults.expected import ADDRESSES, OTHERS, VICTIM, assert_others_undisturbed, home
from faults.fleets import plumbings
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.layout import SEGMENT, Nic, mac
from lab.machines import Blueprint, Machine
from lab.observer.results import Sight

TESTS = Path(__file__).parents[1]
NEW = "10.1.1.9"
STRANGER = "stranger"


@pytest.fixture
def stranger(lab: Lab) -> Iterator[Machine]:
    nic = Nic("eth1", SEGMENT, ("10.1.0.200/16",))
    machine = Machine(Blueprint(STRANGER, (nic,)), lab.layout, lab.network)
    machine.power_on()
    lab.machines[STRANGER] = machine  # so that the observer knows its name
    yield machine
    del lab.machines[STRANGER]
    machine.crash()


def add(stranger: Machine, address: str) -> None:
    stranger.run(["ip", "address", "add", f"{address}/32", "dev", "eth1"])


def claim(stranger: Machine, address: str) -> None:
    argv = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "lab.observer.announce"]
    stranger.run([*argv, "eth1", address])


def delete(stranger: Machine, address: str) -> None:
    stranger.run(["ip", "address", "del", f"{address}/32", "dev", "eth1"])


def is_reported(lab: Lab, node: str, address: str) -> bool:
    """Whether the node says that the stranger's MAC claims the address."""
    conditions = plumbings(lab)[node]["status"].get("conditions", [])
    found = [c["message"] for c in conditions if c["type"] == "AddressInUse"]
    return any(f"{address} is claimed by {mac(STRANGER, 'eth1')}" in said for said in found)


def assert_one_of_ours(sight: Sight) -> None:
    """The stranger may answer as well: that is what it means; two of our nodes never do."""
    assert all(STRANGER in double.machines for double in sight.doubles), sight.doubles[:5]
    assert sight.dropped == 0


def test_an_address_that_a_stranger_adds_is_defended(
    lab: Lab, fleet: Fleet, stranger: Machine
) -> None:
    with lab.observe(ADDRESSES) as seen:
        add(stranger, VICTIM)
        claim(stranger, VICTIM)
        wait_until(lambda: is_reported(lab, "n3", VICTIM), "the stranger is reported")
        wait_until(lambda: f"another host: {VICTIM}" in fleet.agents["n3"].output(), "defended")
        delete(stranger, VICTIM)
        time.sleep(1)
    assert_one_of_ours(seen.sight)
    assert seen.sight.owners()[VICTIM] == "n3"
    assert lab.who_answers([VICTIM]) == {VICTIM: "n3"}
    assert_others_undisturbed(seen.sight)
    home(fleet)


def test_an_address_that_a_stranger_has_already_is_reported(
    lab: Lab, fleet: Fleet, stranger: Machine
) -> None:
    add(stranger, NEW)
    with lab.observe([*OTHERS, NEW]) as seen:
        apply(lab, [duravip("vip-9", NEW, preference="n2")])
        wait_until(lambda: fleet.owners().get(NEW) == "n2", "it is served")
        claim(stranger, NEW)
        wait_until(lambda: is_reported(lab, "n2", NEW), "the stranger is reported")
        delete(stranger, NEW)
        time.sleep(1)
    assert_one_of_ours(seen.sight)
    assert lab.who_answers([NEW]) == {NEW: "n2"}
    lab.kubectl("delete", "duravip", "vip-9")
    wait_until(lambda: lab.who_answers([NEW]) == {}, "it is released")
    home(fleet)


def test_without_contact_a_stranger_is_yielded_to_and_nobody_joins_in(
    lab: Lab, fleet: Fleet, stranger: Machine
) -> None:
    """The stranger may have been granted it, for all n3 knows; others ask before they take."""
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        time.sleep(1)
        add(stranger, VICTIM)
        claim(stranger, VICTIM)
        wait_until(lambda: lab.who_answers([VICTIM]) == {VICTIM: STRANGER}, "n3 has yielded")
        wait_until(lambda: contested_with_stranger(lab), "another node is kept from taking it")
        alone_from = time.monotonic()
        time.sleep(2)
        alone_until = time.monotonic()
        delete(stranger, VICTIM)
        wait_until(lambda: lab.who_answers([VICTIM]) != {}, "one of ours has it again")
        lab.machines["n3"].mend("control")
        home(fleet)
    assert_one_of_ours(seen.sight)
    assert not [d for d in seen.sight.doubles if alone_from < d.time < alone_until]
    assert_others_undisturbed(seen.sight)


def contested_with_stranger(lab: Lab) -> bool:
    """Whether a node that was granted the address says who answers for it."""
    said = [item["status"].get("contested", []) for item in plumbings(lab).values()]
    return mac(STRANGER, "eth1") in json.dumps(said)
