"""Walks every short history of the small world, breadth first.

    PYTHONPATH=tests python -m simulation.walk [--states N] [WEAKENING ...]

Prints the shortest history in which two nodes answer at once, or that there is none.
"""

import argparse
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulation.actions import WEAKENINGS, Weak, steps
from simulation.world import NAMES, Agent, Api, Operator, World, owners


class Walk(NamedTuple):
    """What a walk found."""

    states: int
    depth: int
    history: tuple[str, ...] | None
    """The steps that lead to two owners; None = there are none as far as was walked."""


def walked(
    most: int, weak: Weak = frozenset(), without: Weak = frozenset(), first: Sequence[str] = ()
) -> Walk:
    """Walk at most so many states from a settled cluster in which n0 owns the address.

    Histories that contain a step whose name has a word of `without` are left out: a world in
    which less can happen is walked deeper. `first` are steps that every history begins with.
    """
    start = world_after(settled(), first)
    known = {essence(start)}
    queue: deque[tuple[World, tuple[object, ...] | None, int]] = deque([(start, None, 0)])
    depth = 0
    while queue and len(known) < most:
        world, past, depth = queue.popleft()
        for what, after in steps(world, weak):
            if after == world or not without.isdisjoint(what.split()):
                continue
            mark = essence(after)
            if mark in known:
                continue
            known.add(mark)
            here = (what, past)
            if len(owners(after)) > 1:
                return Walk(len(known), depth + 1, tuple(reversed([*_names(here)])))
            queue.append((after, here, depth + 1))
    return Walk(len(known), depth, None)


def settled() -> World:
    """One operator leads, and n0 serves the address."""
    fresh = Api(observed=1)
    world = World((fresh, fresh), (Agent(seen_generation=1),) * 2, (Operator(epoch=1), Operator()))
    rounds = (
        *("operator 0 reads", "operator 0 decides", "operator 0 writes", "operator 0 writes"),
        *(f"{name} {what}" for name in NAMES for what in ("reads", "acts", "reports")),
    )
    world = world_after(world, rounds * 4)
    assert owners(world) == [0], world
    return world


def world_after(world: World, names: Sequence[str]) -> World:
    """The world after these steps, in this order."""
    for name in names:
        world = dict(steps(world, frozenset()))[name]
    return world


def essence(world: World) -> object:
    """What the future depends on: versions and generations are compared, never counted."""
    ranks = [_ranks(world, n) for n in (0, 1)]
    epochs = {epoch: rank for rank, epoch in enumerate(sorted(_epochs(world)))}
    return (
        tuple(_api_essence(api, r, epochs) for api, r in zip(world.api, ranks, strict=True)),
        tuple(
            (a.running, a.hearing, a.seen, r[a.seen_generation], a.plumbed)
            for a, r in zip(world.agents, ranks, strict=True)
        ),
        tuple(_operator_essence(operator, ranks, epochs) for operator in world.operators),
        world.preferred,
    )


def _operator_essence(
    operator: Operator, ranks: list[dict[int, int]], epochs: dict[int, int]
) -> object:
    return (
        epochs[operator.epoch] if operator.epoch else -1,
        tuple(_api_essence(api, r, epochs) for api, r in zip(operator.cache, ranks, strict=False)),
        tuple(
            d and (r[d.generation], d.addresses)
            for d, r in zip(operator.memory, ranks, strict=True)
        ),
        tuple((w.node, w.granted, ranks[w.node][w.generation]) for w in operator.writes),
    )


def _api_essence(api: Api, ranks: dict[int, int], epochs: dict[int, int]) -> object:
    generations = ranks[api.generation], ranks[api.observed]
    return api.granted, *generations, epochs[api.epoch], api.served, api.stopped


def _ranks(world: World, n: int) -> dict[int, int]:
    """`{generation: its rank}` for all generations of one node that anybody knows of."""
    seen = [world.api[n], *(o.cache[n] for o in world.operators if o.cache)]
    known = {0, world.agents[n].seen_generation}
    known |= {w.generation for o in world.operators for w in o.writes if w.node == n}
    known |= {number for api in seen for number in (api.generation, api.observed)}
    known |= {doubts.generation for o in world.operators if (doubts := o.memory[n])}
    return {number: rank for rank, number in enumerate(sorted(known))}


def _epochs(world: World) -> set[int]:
    caches = (api.epoch for o in world.operators for api in o.cache)
    return {0, *(api.epoch for api in world.api), *(o.epoch for o in world.operators), *caches}


def _names(here: tuple[object, ...] | None) -> Iterator[str]:
    while here:
        what, here = here  # type: ignore[assignment]
        yield str(what)


def main() -> None:
    """Walk as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--states", type=int, default=200_000)
    parser.add_argument("--without", action="append", default=[], metavar="WORD")
    parser.add_argument("weakening", nargs="*", choices=[*WEAKENINGS, []])
    options = parser.parse_args()
    started = time.monotonic()
    found = walked(options.states, frozenset(options.weakening), frozenset(options.without))
    took = f"{found.states} states, depth {found.depth}, {time.monotonic() - started:.0f} s"
    print("\n".join(["two owners:", *found.history]) if found.history else "clean", f"({took})")


if __name__ == "__main__":
    main()
