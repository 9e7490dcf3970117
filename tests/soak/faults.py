"""What goes wrong, and how it is mended again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from duravip_api import EXCLUDE_LABEL
from soak.grounds import OPERATORS, Grounds
from soak.objects import NODES


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong for a while."""

    name: str
    parts: frozenset[str]
    """The machines it is about: two faults at a time share none. `cp` has the API server."""
    strike: Callable[[], object]
    mend: Callable[[], object]
    seconds: tuple[float, float] = (1.0, 8.0)
    """How long it lasts, at least and at most."""
    empties: str = ""
    """The node that must have lost all of its addresses, if nothing else is wrong."""
    is_split: bool = False
    """Whether both halves have owners: when it heals, both answer for a moment."""


def crash(grounds: Grounds, node: str, _: Random) -> Fault:
    """The power of a node fails."""
    machine = grounds.lab.machines[node]
    mend = partial(grounds.power_on, node)
    return Fault(f"crash {node}", frozenset({node}), machine.crash, mend, empties=node)


def frozen_machine(grounds: Grounds, node: str, _: Random) -> Fault:
    """Everything on a node stands still, but its kernel."""
    machine = grounds.lab.machines[node]
    parts = frozenset({node})
    return Fault(f"freeze {node}", parts, machine.freeze, machine.thaw, empties=node)


def killed_agent(grounds: Grounds, node: str, _: Random) -> Fault:
    """An agent is killed, and started again later."""
    agent = grounds.fleet.agents[node]
    mend = partial(grounds.fleet.start_agent, node)
    return Fault(f"kill agent {node}", frozenset({node}), agent.kill, mend, empties=node)


def frozen_agent(grounds: Grounds, node: str, _: Random) -> Fault:
    """An agent stands still, its node does not."""
    agent = grounds.fleet.agents[node]
    parts = frozenset({node})
    return Fault(f"freeze agent {node}", parts, agent.stop, agent.resume, empties=node)


def restarted_agent(grounds: Grounds, node: str, _: Random) -> Fault:
    """An agent is asked to end, as when its image is updated."""
    agent = grounds.fleet.agents[node]
    mend = partial(grounds.restart_agent, node)
    return Fault(f"stop agent {node}", frozenset({node}), agent.terminate, mend, (0.1, 3.0), node)


def cable(grounds: Grounds, node: str, _: Random) -> Fault:
    """The cable of the segment is pulled."""
    pull = partial(grounds.lab.machines[node].cable, "eth1")
    down, up = partial(pull, up=False), partial(pull, up=True)
    return Fault(f"cable {node}", frozenset({node}), down, up, empties=node)


def cut_control(grounds: Grounds, node: str, _: Random) -> Fault:
    """A node reaches neither the API server nor an operator: it keeps what it has."""
    machine = grounds.lab.machines[node]
    cut, mend = partial(machine.cut, "control"), partial(machine.mend, "control")
    return Fault(f"cut control {node}", frozenset({node}), cut, mend)


def cut_segment(grounds: Grounds, node: str, _: Random) -> Fault:
    """A node is alone on its half of the segment, and sees nothing of it."""
    lab = grounds.lab
    return Fault(
        f"split {node}", frozenset({node}), partial(lab.split, node), partial(lab.heal, node)
    )


def cut_off(grounds: Grounds, node: str, rng: Random) -> Fault:
    """A node is cut off from everything: the others take its addresses while it goes on."""
    machine = grounds.lab.machines[node]
    pause = rng.choice((0.0, 1.0))

    def strike() -> None:
        machine.cut("control")
        machine.cut("segment")

    def mend() -> None:
        machine.mend("segment")
        time.sleep(pause)  # it finds out by itself, or is told
        machine.mend("control")

    return Fault(f"cut off {node}", frozenset({node}), strike, mend, is_split=True)


def deleted_alias(grounds: Grounds, node: str, rng: Random) -> Fault:
    """Somebody deletes an address from a card."""
    parts = frozenset({node})
    strike = partial(grounds.delete_alias, node, rng)
    return Fault(f"delete alias {node}", parts, strike, _nothing, (0.5, 2.0))


def flushed_fence(grounds: Grounds, node: str, _: Random) -> Fault:
    """Somebody flushes all of a node's tables."""
    strike = partial(grounds.lab.machines[node].run, ["nft", "flush", "ruleset"])
    return Fault(f"flush nft {node}", frozenset({node}), strike, _nothing, (0.5, 2.0))


def drain(grounds: Grounds, node: str, _: Random) -> Fault:
    """An administrator takes a node out."""
    label = partial(grounds.lab.kubectl, "label", "node", node, "--overwrite")
    set_, unset = partial(label, f"{EXCLUDE_LABEL}=true"), partial(label, f"{EXCLUDE_LABEL}-")
    return Fault(f"drain {node}", frozenset({node, "cp"}), set_, unset, empties=node)


def killed_operator(grounds: Grounds, _: str, rng: Random) -> Fault:
    """An operator is killed, the leader or the other one."""
    machine = rng.choice(OPERATORS)
    strike = grounds.fleet.operators[machine].kill
    mend = partial(grounds.start_operator, machine)
    return Fault(f"kill operator {machine}", frozenset({machine}), strike, mend)


def frozen_operator(grounds: Grounds, _: str, rng: Random) -> Fault:
    """An operator stands still, and goes on with what it knew."""
    machine = rng.choice(OPERATORS)
    operator = grounds.fleet.operators[machine]
    parts = frozenset({machine})
    return Fault(f"freeze operator {machine}", parts, operator.stop, operator.resume)


def no_operator(grounds: Grounds, _: str, __: Random) -> Fault:
    """All operators are scaled down, and up again."""

    def strike() -> None:
        for machine in OPERATORS:
            grounds.fleet.operators[machine].terminate()

    def mend() -> None:
        for machine in OPERATORS:
            grounds.start_operator(machine)

    return Fault("no operator", frozenset(OPERATORS), strike, mend, (5.0, 30.0))


def killed_api_server(grounds: Grounds, _: str, __: Random) -> Fault:
    """The API server is killed, and started again later."""
    plane = grounds.lab.control_plane
    mend = grounds.start_api_server
    return Fault("kill API server", frozenset({"cp"}), plane.api_server.kill, mend)


def frozen_api_server(grounds: Grounds, _: str, __: Random) -> Fault:
    """The API server accepts, and does not answer."""
    server = grounds.lab.control_plane.api_server
    return Fault("freeze API server", frozenset({"cp"}), server.stop, server.resume, (2.0, 60.0))


def edits(grounds: Grounds, _: str, rng: Random) -> Fault:
    """People create, edit and delete."""
    objects = grounds.objects
    some = rng.randint(1, 10)

    def strike() -> None:
        objects.delete(some)
        objects.edit_addresses(some)
        objects.edit_preferences(some)

    mend = partial(objects.create, some)
    return Fault(f"edit 3 x {some} objects", frozenset({"cp"}), strike, mend, (0.1, 3.0))


def _nothing() -> None:
    """It is mended by the programs themselves."""


MAKERS: Final = (
    crash, frozen_machine, killed_agent, frozen_agent, restarted_agent, cable, cut_control,
    cut_segment, cut_off, deleted_alias, flushed_fence, drain, killed_operator, frozen_operator,
    no_operator, killed_api_server, frozen_api_server, edits,
)  # fmt: skip
TWO: Final = 0.4
"""How often two faults happen at a time."""


def drawn(grounds: Grounds, rng: Random) -> list[Fault]:
    """One fault or two, that do not concern the same machine."""
    faults = [_one(grounds, rng)]
    if rng.random() < TWO:
        second = _one(grounds, rng)
        while second.parts & faults[0].parts:
            second = _one(grounds, rng)
        faults.append(second)
    return faults


def _one(grounds: Grounds, rng: Random) -> Fault:
    return rng.choice(MAKERS)(grounds, rng.choice(NODES), rng)
