"""The observer, where the truth is known: addresses that the test itself moves about."""

import secrets
import sys
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from lab import teardown
from lab.keeper import Keeper
from lab.layout import CLIENT, CLIENT_NICS, Layout, node_nics
from lab.machines import Blueprint, Machine
from lab.network import Network
from lab.observer.observation import Observation, Pace

TESTS = Path(__file__).parents[1]
LAYOUT = Layout(f"observer-{secrets.token_hex(3)}")
NIC = "eth1"
ADDRESS, OTHER, V6 = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
MANY = [f"10.1.{64 + number // 250}.{number % 250 + 1}" for number in range(299)] + [V6]
BUSY = 0.05
"""Seconds that a busy machine may add to what the test itself takes."""


@pytest.fixture(scope="module")
def machines() -> Iterator[dict[str, Machine]]:
    keeper = Keeper(LAYOUT.name)
    network = Network(LAYOUT)
    plans = [Blueprint("n1", node_nics(1)), Blueprint("n2", node_nics(2))]
    plans.append(Blueprint(CLIENT, CLIENT_NICS))
    made = {plan.name: Machine(plan, LAYOUT, network) for plan in plans}
    try:
        network.create()
        for machine in made.values():
            machine.power_on()
        yield made
    finally:
        teardown.tear_down(LAYOUT)
        for machine in made.values():
            machine.reap()
        keeper.dismiss()


@pytest.fixture
def clean(machines: dict[str, Machine]) -> Iterator[dict[str, Machine]]:
    yield machines
    for name in ("n1", "n2"):
        for selector in (
            ["to", "10.1.1.0/24"],
            ["to", "10.1.64.0/18"],
            ["to", "fd00:1::64:0/112"],
        ):
            machines[name].run(["ip", "addr", "flush", "dev", NIC, *selector])


def observe(
    machines: dict[str, Machine], *addresses: str, pace: Pace | None = None
) -> Observation:
    pace = pace or Pace.finest(len(addresses))
    return Observation(machines[CLIENT], list(machines.values()), addresses, pace)


def test_of_a_double_it_is_recorded_when_each_was_asked_and_answered(
    clean: dict[str, Machine],
) -> None:
    nodes = [clean["n1"], clean["n2"]]
    for node in nodes:
        change(node, "add", ADDRESS, V6)
    pace = Pace.finest(2)
    with Observation(clean[CLIENT], list(clean.values()), [ADDRESS, V6], pace, nodes) as seen:
        time.sleep(0.3)
    doubles = seen.sight.doubles
    assert {double.address for double in doubles} == {ADDRESS, V6}
    for double in doubles:
        assert double.machines == {"n1", "n2"}
        for answer in double.answers:
            assert answer.delivered is not None
            assert answer.sent is not None
            assert double.asked - 0.001 < answer.delivered < answer.sent + 0.001
            assert answer.sent < answer.heard + 0.001
            assert bytes.fromhex(answer.frame)[12:14] in {b"\x08\x06", b"\x86\xdd"}


def change(machine: Machine, verb: str, *addresses: str) -> None:
    lines = [
        f"addr {verb} {address}/{128 if ':' in address else 32} dev {NIC}"
        + (" nodad" if verb == "add" and ":" in address else "")
        for address in addresses
    ]
    machine.run(["ip", "-batch", "-"], "\n".join(lines) + "\n")


def announce(machine: Machine, *addresses: str) -> None:
    argv = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "lab.observer.announce", NIC]
    machine.run([*argv, *addresses])


def test_an_address_that_moves_has_two_owners_one_after_the_other_and_a_gap(
    clean: dict[str, Machine],
) -> None:
    n1, n2 = clean["n1"], clean["n2"]
    change(n1, "add", ADDRESS)
    with observe(clean, ADDRESS, OTHER) as seen:
        time.sleep(0.2)
        change(n1, "del", ADDRESS)
        gone = time.monotonic()
        time.sleep(0.1)
        change(n2, "add", ADDRESS)
        announce(n2, ADDRESS)
        there = time.monotonic()
        time.sleep(0.2)
    sight = seen.sight
    assert [held.machine for held in sight.holdings[ADDRESS]] == ["n1", "n2"]
    assert sight.owners() == {ADDRESS: "n2"}
    assert sight.double_owners == 0
    assert 0.1 <= sight.gap(ADDRESS, gone) <= there - gone + BUSY
    assert 0.1 <= sight.back_after(ADDRESS, gone) <= there - gone + BUSY
    assert sight.gap(OTHER) == inf
    assert sight.dropped == 0


def test_an_address_that_stays_has_no_gap(clean: dict[str, Machine]) -> None:
    change(clean["n1"], "add", ADDRESS, V6)
    with observe(clean, ADDRESS, V6) as seen:
        time.sleep(0.5)
    assert seen.sight.worst_gap() < BUSY + seen.sight.late
    assert seen.sight.owners() == {ADDRESS: "n1", V6: "n1"}


def test_a_client_with_a_stale_cache_waits_for_the_announcement(
    clean: dict[str, Machine],
) -> None:
    n1, n2 = clean["n1"], clean["n2"]
    change(n1, "add", ADDRESS)
    with observe(clean, ADDRESS) as seen:
        n1.run(["sysctl", "-qw", "net.ipv4.ip_forward=0"])  # else n1 would pass the pings on
        change(n1, "del", ADDRESS)
        change(n2, "add", ADDRESS)
        time.sleep(0.3)
        announced = time.monotonic()
        announce(n2, ADDRESS)
        time.sleep(0.2)
        n1.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    outage = seen.sight.outage(ADDRESS)
    assert outage
    assert outage.first_after
    assert outage.first_after > announced
    assert outage.seconds > 0.3


def test_two_owners_are_counted_once_for_every_sample(clean: dict[str, Machine]) -> None:
    change(clean["n1"], "add", ADDRESS, OTHER)
    pace = Pace(ask=0.02, ping=0)
    with observe(clean, ADDRESS, OTHER, pace=pace) as seen:
        change(clean["n2"], "add", ADDRESS)
        began = time.monotonic()
        time.sleep(0.5)
        lasted = time.monotonic() - began
        change(clean["n2"], "del", ADDRESS)
        time.sleep(0.1)
    sight = seen.sight
    assert abs(sight.double_owners - lasted / pace.ask) <= 3
    assert {double.address for double in sight.doubles} == {ADDRESS}
    assert {double.machines for double in sight.doubles} == {frozenset({"n1", "n2"})}


def test_a_crash_is_seen_as_an_outage_without_an_end(clean: dict[str, Machine]) -> None:
    change(clean["n2"], "add", ADDRESS)
    with observe(clean, ADDRESS) as seen:
        crashed = clean["n2"].crash()
        time.sleep(0.1)
    clean["n2"].power_on()
    assert seen.sight.gap(ADDRESS, crashed) == inf
    assert seen.sight.holdings[ADDRESS][0].last < crashed + BUSY


def test_three_hundred_addresses_are_all_asked_for_in_every_sample(
    clean: dict[str, Machine],
) -> None:
    change(clean["n1"], "add", *MANY)
    with observe(clean, *MANY) as seen:
        time.sleep(1)
    sight = seen.sight
    # The last answers may be on the way, and a busy machine loses some.
    assert min(sight.answered_samples.values()) >= 0.8 * sight.samples
    assert sight.samples >= 25 or sight.late > BUSY
    assert sight.worst_gap() < BUSY + sight.late
    assert set(sight.owners().values()) == {"n1"}
    assert len(sight.owners()) == 300
