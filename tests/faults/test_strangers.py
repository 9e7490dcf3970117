"""Somebody adds one of our addresses to a host that is none of ours."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.objects import apply, duravip, reason, status, topology
from faults.expected import ADDRESSES, OTHERS, OWNERS, VICTIM, assert_others_undisturbed, home
from faults.fleets import plumbings
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.layout import API_ADDRESS, SEGMENT, Nic, mac
from lab.machines import Blueprint, Machine
from lab.observer.results import Sight

TESTS = Path(__file__).parents[1]
NEW = "10.1.1.9"
NEW6 = "fd00:1::64:9"
WITHIN = 60.0
"""Seconds within which a host is reported that has taken an address of ours."""
STRANGER = "stranger"


@pytest.fixture(scope="session")
def both(lab: Lab, running: Fleet) -> Fleet:
    """With a block of each family."""
    apply(lab, [topology("lan6", "fd00:1::64:0/112")])
    return running


@pytest.fixture
def stranger(lab: Lab) -> Iterator[Machine]:
    nic = Nic("eth1", SEGMENT, ("10.1.0.200/16", "fd00:1::c8/64"))
    machine = Machine(Blueprint(STRANGER, (nic,)), lab.layout, lab.network)
    machine.power_on()
    lab.machines[STRANGER] = machine  # so that the observer knows its name
    yield machine
    del lab.machines[STRANGER]
    machine.crash()


def add(stranger: Machine, address: str) -> None:
    """Take an address and announce nothing: an IPv6 one is not even asked for by the kernel."""
    length, options = ("128", ("nodad",)) if ":" in address else ("32", ())
    stranger.run(["ip", "address", "add", f"{address}/{length}", "dev", "eth1", *options])


def claim(stranger: Machine, address: str) -> None:
    argv = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "lab.observer.announce"]
    stranger.run([*argv, "eth1", address])


def delete(stranger: Machine, address: str) -> None:
    length = "128" if ":" in address else "32"
    stranger.run(["ip", "address", "del", f"{address}/{length}", "dev", "eth1"])


def is_reported(lab: Lab, node: str, address: str) -> bool:
    """Whether the node says that the stranger's MAC claims the address."""
    conditions = plumbings(lab)[node]["status"].get("conditions", [])
    found = [c["message"] for c in conditions if c["type"] == "AddressInUse"]
    return any(f"{address} is claimed by {mac(STRANGER, 'eth1')}" in said for said in found)


def in_use(lab: Lab, name: str) -> str:
    """What the condition AddressInUse of a DuraVIP says; empty: there is none."""
    conditions = status(lab, "duravip", name).get("conditions", [])
    told = (c for c in conditions if c["type"] == "AddressInUse" and c["status"] == "True")
    return next((f"{c['reason']}: {c['message']}" for c in told), "")


def is_refused(lab: Lab, name: str) -> bool:
    """Whether a DuraVIP says that nobody takes what the stranger has."""
    found: dict[str, Any] = status(lab, "duravip", name)
    ready = [c for c in found.get("conditions", []) if c["type"] == "Ready"]
    return (
        found.get("state") == "Unassigned"
        and [c["reason"] for c in ready] == ["AddressInUse"]
        and mac(STRANGER, "eth1") in ready[0]["message"]
        and mac(STRANGER, "eth1") in in_use(lab, name)
    )


def has_event(lab: Lab, name: str) -> bool:
    """Whether an Event of a DuraVIP says so."""
    selector = f"--field-selector=involvedObject.name={name},reason=AddressInUse,type=Warning"
    return mac(STRANGER, "eth1") in lab.kubectl("get", "events", selector, "-o=json")


def assert_one_of_ours(sight: Sight) -> None:
    """The stranger may answer as well: that is what it means; two of our nodes never do."""
    assert all(STRANGER in double.machines for double in sight.doubles), sight.doubles[:5]
    assert sight.dropped == 0


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("address", [NEW, NEW6])
def test_an_address_that_a_stranger_has_already_is_not_taken_until_he_is_gone(
    lab: Lab, fleet: Fleet, stranger: Machine, address: str
) -> None:
    add(stranger, address)
    with lab.observe([*OTHERS, address]) as seen:
        apply(lab, [duravip("vip-9", address, preference="n2")])
        wait_until(lambda: is_refused(lab, "vip-9"), "it is said who has it")
        wait_until(lambda: has_event(lab, "vip-9"), "an Event says so")
        time.sleep(3)
    assert not seen.sight.doubles
    assert {held.machine for held in seen.sight.holdings[address]} == {STRANGER}
    assert_others_undisturbed(seen.sight)
    delete(stranger, address)
    wait_until(lambda: fleet.owners().get(address) == "n2", "it is taken", 10)
    assert lab.who_answers([address]) == {address: "n2"}
    wait_until(lambda: not in_use(lab, "vip-9"), "nothing is said any more")
    lab.kubectl("delete", "duravip", "vip-9")
    wait_until(lambda: lab.who_answers([address]) == {}, "it is released")
    home(fleet)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("announces", [True, False], ids=["announcing", "silently"])
@pytest.mark.parametrize("address", [NEW, NEW6])
def test_whoever_takes_an_address_that_is_served_is_reported_and_it_stays(
    lab: Lab, fleet: Fleet, stranger: Machine, address: str, *, announces: bool
) -> None:
    apply(lab, [duravip("vip-9", address, preference="n2")])
    wait_until(lambda: fleet.owners().get(address) == "n2", "it is served")
    add(stranger, address)
    if announces:
        claim(stranger, address)
    wait_until(lambda: is_reported(lab, "n2", address), "its node says so", WITHIN)
    wait_until(lambda: mac(STRANGER, "eth1") in in_use(lab, "vip-9"), "the DuraVIP says so", 5)
    wait_until(lambda: has_event(lab, "vip-9"), "an Event says so")
    assert fleet.owners()[address] == "n2"
    assert f"another host: {address}" in fleet.agents["n2"].output()
    delete(stranger, address)
    wait_until(lambda: not in_use(lab, "vip-9"), "it is over", WITHIN)
    assert lab.who_answers([address]) == {address: "n2"}
    lab.kubectl("delete", "duravip", "vip-9")
    wait_until(lambda: lab.who_answers([address]) == {}, "it is released")
    home(fleet)


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


def test_what_routers_and_the_api_server_have_and_what_is_reserved_is_taken_by_nobody(
    lab: Lab, fleet: Fleet
) -> None:
    routers = ("10.1.0.250", "10.1.0.251", "fd00:1::fa")
    both = [f"nexthop via {router} dev eth1" for router in routers[:2]]
    routes = (["10.9.0.0/16", *both], ["fd00:9::/64", f"via {routers[2]} dev eth1"])
    blocks = [
        topology("api", "10.77.0.0/24"),
        topology("kept", "10.1.7.0/24", reserved=["10.1.7.7"]),
    ]
    expected = {
        **{f"hop-{n}": (router, "NextHop") for n, router in enumerate(routers)},
        "api": (API_ADDRESS, "ApiServer"),
        "kept": ("10.1.7.7", "Reserved"),
    }
    for route in routes:
        lab.machines["n2"].run(["ip", "route", "add", *" ".join(route).split()])
    try:
        fleet.agents[
            "n2"
        ].terminate()  # it looks at its routes twice a minute only, and as it starts
        fleet.agents["n2"].wait()
        fleet.start_agent("n2")
        wait_until(
            lambda: {*routers} <= {*plumbings(lab)["n2"]["status"].get("nextHops", ())}, "said"
        )
        home(fleet)
        apply(lab, blocks)
        apply(lab, [duravip(name, address) for name, (address, _) in expected.items()])
        for name, (_, why) in expected.items():
            wait_until(lambda: reason(lab, "duravip", name) == why, f"{name} is refused")  # noqa: B023
            assert status(lab, "duravip", name)["state"] == "Broken"
        assert fleet.served() == {node: [address] for address, node in OWNERS.items()}
    finally:
        lab.kubectl("delete", "duravips", *expected, "--ignore-not-found")
        lab.kubectl("delete", "topologies", "api", "kept", "--ignore-not-found")
        for prefix, *_ in routes:
            lab.machines["n2"].run(["ip", "route", "del", prefix])


def contested_with_stranger(lab: Lab) -> bool:
    """Whether a node that was granted the address says who answers for it."""
    said = [item["status"].get("contested", []) for item in plumbings(lab).values()]
    return mac(STRANGER, "eth1") in json.dumps(said)
