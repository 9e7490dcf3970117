"""Walks every short history of the small world, breadth first.

    PYTHONPATH=tests python -m simulation.walk [--states N] [--cast CAST] [WEAKENING...]

Prints the shortest history in which two nodes answer on one segment for longer than a healed
segment excuses, or one takes the address while a stranger has it; or that there is none.
"""

import argparse
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulation.actions import STEPS
from simulation.casts import CASTS
from simulation.changes import WEAKENINGS, Weak
from simulation.essence import essence
from simulation.world import NAMES, Agent, Api, Operator, World, is_audible

HEALED = 4
"""Ticks: the dead-man's, and those after which a loop that hangs is no longer kept alive."""

_ROUND = ("reads", "beats", "asks", "turns", "reports")

Past = tuple[str, "Past | None"]


class Walk(NamedTuple):
    """What a walk found."""

    states: int
    depth: int
    history: tuple[str, ...] | None
    """The steps that lead to two owners; None = there are none as far as was walked."""
    frontier: tuple[World, ...] = ()
    """Some of the worlds that it came to last."""


def walked(most: int, cast: str, weak: Weak = frozenset(), first: Sequence[str] = ()) -> Walk:
    """Walk at most so many states from a settled cluster in which n0 owns the address.

    Only what the cast names can happen: where less can happen, the walk goes deeper. `first` are
    steps that every history begins with. Where a cut segment has just healed, two owners are
    excused until a loop has come round, or the dead-man has bitten because none did.
    """
    happens = [(what, step) for what, step in STEPS.items() if what in CASTS[cast]]
    isolated = cast == "nodes that do not hear each other"
    start = world_after(settled(weak, isolated=isolated), first, weak)
    known = {essence(start)}
    queue: deque[tuple[World, Past | None, int]] = deque([(start, None, 0)])
    depth = 0
    while queue and len(known) < most:
        world, past, depth = queue.popleft()
        for what, step in happens:
            after = step(world, weak)
            if after == world:
                continue
            mark = essence(after)
            if mark in known:
                continue
            known.add(mark)
            if after.is_invaded or after.both > (HEALED if after.is_excused else 0):
                return Walk(len(known), depth + 1, (*reversed([*_names((what, past))]),))
            queue.append((after, (what, past), depth + 1))
    ends = tuple(world for world, *_ in list(queue)[:: max(1, len(queue) // 200)])
    return Walk(len(known), depth, None, ends)


def settled(weak: Weak = frozenset(), *, isolated: bool = False) -> World:
    """One operator leads, and n0 serves the address."""
    fresh = Api(observed=1)
    agents = (Agent(seen_generation=1), Agent(seen_generation=1))
    world = World((fresh, fresh), agents, (Operator(epoch=1), Operator()), isolated=isolated)
    rounds = (
        *("operator 0 reads", "operator 0 decides", "operator 0 writes", "operator 0 writes"),
        *(f"{name} {what}" for name in NAMES for what in _ROUND),
        "operator 0 reads",
    )
    world = world_after(world, rounds * 4, weak & {"strict"})
    assert [is_audible(agent) for agent in world.agents] == [True, False], world
    return world


def world_after(world: World, names: Sequence[str], weak: Weak = frozenset()) -> World:
    """The world after these steps, in this order."""
    for name in names:
        world = STEPS[name](world, weak)
    return world


def left_alone(world: World, weak: Weak = frozenset()) -> World:
    """The world some time after all that was broken is mended and nothing else happens."""
    first, second = (agent._replace(frozen=False, control=True) for agent in world.agents)
    world = world._replace(
        agents=(first, second), segment=True, is_wanted=True, stranger=False, fit=None
    )
    leader = max((0, 1), key=lambda i: world.operators[i].epoch)
    boots = [f"{name} boots" for name, a in zip(NAMES, world.agents, strict=True) if not a.running]
    leads = (f"operator {leader} takes the lead", f"operator {leader} works")
    everybody = ("a tick passes", *(f"{n} works" for n in NAMES), *leads)
    return world_after(world, (*boots, *everybody * 12), weak)


def _names(past: Past | None) -> Iterator[str]:
    while past:
        yield past[0]
        past = past[1]


def main() -> None:
    """Walk as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--states", type=int, default=200_000)
    parser.add_argument("--cast", default="one node's troubles", choices=CASTS)
    parser.add_argument("weakening", nargs="*", help=f"strict, or some of {', '.join(WEAKENINGS)}")
    options = parser.parse_args()
    started = time.monotonic()
    found = walked(options.states, options.cast, frozenset(options.weakening))
    took = f"{found.states} states, depth {found.depth}, {time.monotonic() - started:.0f} s"
    print("\n".join(["two owners:", *found.history]) if found.history else "clean", f"({took})")


if __name__ == "__main__":
    main()
