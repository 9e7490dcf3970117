"""An API server that answers late is not dead: somebody leads, and a crash heals."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from api.objects import apply, duravip, topology
from faults.expected import ADDRESSES, OWNERS, SLACK, VICTIM, assert_one_owner
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.layout import API_ADDRESS, API_PORT

SLOW_PORT: Final = 7443
LED_WITHIN, SERVED_WITHIN, HEALED_WITHIN = 60.0, 60.0, 10.0
TESTS: Final = Path(__file__).parents[1]


@pytest.fixture
def slow_lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        yield lab


def slowed(lab: Lab, delay: str) -> Path:
    """A kubeconfig by which every answer comes late."""
    file = lab.layout.home / "delay"
    file.write_text(delay)
    here, there = f"{API_ADDRESS}:{SLOW_PORT}", f"127.0.0.1:{API_PORT}"
    argv = [sys.executable, "-m", "lab.slow", here, there, str(file)]
    lab.control_plane.machine.spawn(["env", f"PYTHONPATH={TESTS}", *argv])
    kubeconfig = lab.layout.home / "slow.kubeconfig"
    usual = lab.inside_kubeconfig.read_text()
    kubeconfig.write_text(usual.replace(f":{API_PORT}", f":{SLOW_PORT}"))
    return kubeconfig


def test_at_a_second_of_latency_a_crash_heals(slow_lab: Lab) -> None:
    lab, fleet = slow_lab, Fleet(slow_lab)
    option = f"--kubeconfig={slowed(lab, '0.6 1.0')}"
    for machine in ("n1", "n2"):
        fleet.start_operator(machine, option)
    for node in lab.nodes:
        fleet.start_agent(node.name, option)
    took = wait_until(lambda: fleet.leader() != "", "somebody leads", LED_WITHIN)
    apply(lab, [topology()])
    apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in OWNERS.items()])
    served = wait_until(lambda: fleet.owners() == OWNERS, "all are served", SERVED_WITHIN)
    print(f"\nled after {took:.1f} s, served {served:.1f} s later")
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].crash()
        wait_until(lambda: lab.who_answers([VICTIM]).get(VICTIM) not in {None, "n3"}, "healed")
    assert_one_owner(seen.sight)
    gap = seen.sight.back_after(VICTIM, when)
    print(f"answered again {gap:.1f} s after the crash")
    assert gap < HEALED_WITHIN + SLACK
