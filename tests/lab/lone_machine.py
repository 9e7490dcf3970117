"""One machine without a cluster: for what wants namespaces and control groups of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from lab import teardown
from lab.keeper import Keeper
from lab.layout import Layout
from lab.machines import Blueprint, Machine
from lab.network import Network


@contextmanager
def lone_machine(name: str) -> Iterator[tuple[Layout, Machine]]:
    """A machine with no card that divides its control groups itself; nothing is left of it.

    As a lab it is found by `python -m lab`, under a name that begins with this one.
    """
    layout = Layout(f"{name}-{secrets.token_hex(3)}")
    layout.home.mkdir(parents=True)
    keeper = Keeper(layout.name)
    network = Network(layout)
    machine = Machine(Blueprint(name, (), own_cgroups=True), layout, network)
    try:
        network.create()
        machine.power_on()
        yield layout, machine
    finally:
        teardown.tear_down(layout)
        machine.reap()
        keeper.dismiss()
