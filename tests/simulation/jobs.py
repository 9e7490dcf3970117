"""Walks and explorations as jobs, which as many processes do as there are cores."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from simulation.histories.explore import Exploration, explored
from simulation.walk import left_alone, walked
from simulation.world import World, is_audible


class WalkJob(NamedTuple):
    """A walk, and what becomes of the worlds that it came to last."""

    states: int
    cast: str
    first: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


class ExploreJob(NamedTuple):
    """Long histories."""

    histories: int
    seed: int
    weak: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    """What happens more often than by chance."""


class Walked(NamedTuple):
    """What came of a walk."""

    states: int
    history: tuple[str, ...] | None
    unsettled: World | None
    """A world that does not come to rest when it is left alone."""


Job = WalkJob | ExploreJob


def done(job: Job) -> Walked | Exploration:
    """Do it: always with the same result."""
    weak = frozenset(job.weak)
    if isinstance(job, ExploreJob):
        # What a weakened rule does is known: nobody reads the shortest history of it.
        return explored(job.histories, job.seed, weak, job.trouble, shrinks=not weak)
    found = walked(job.states, job.cast, weak, job.first)
    worlds = (world for world in found.frontier if not _settles(world, weak))
    return Walked(found.states, found.history, next(worlds, None))


@contextmanager
def workers(jobs: Iterable[Job]) -> Iterator[Callable[[Job], Any]]:
    """All jobs under way, in this order; gives back what came of one."""
    futures: dict[Job, Future[Any]] = {}
    context = multiprocessing.get_context("spawn")
    with (
        patch.dict(os.environ, PYTHONHASHSEED="0"),  # sets, too, are then always in one order
        ProcessPoolExecutor(len(os.sched_getaffinity(0)), context) as pool,
    ):

        def result(job: Job) -> Any:
            if job not in futures:
                futures[job] = pool.submit(done, job)
            return futures[job].result()

        try:
            futures |= {job: pool.submit(done, job) for job in dict.fromkeys(jobs)}
            yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _settles(world: World, weak: frozenset[str]) -> bool:
    rested = left_alone(world, weak)
    owners = [is_audible(agent) for agent in rested.agents]
    return owners == [rested.preferred == 0, rested.preferred == 1]
