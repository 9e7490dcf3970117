"""Makes long histories until one shows a hole, or as many as were asked for.

    PYTHONPATH=tests python -m simulation.histories.explore [--histories N] [--seed N] [WEAKENING]

Prints the shortest history in which something is wrong that it can find, or that there is none,
and how often everything has happened.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from simulation.changes import WEAKENINGS, Weak
from simulation.histories.machine import Histories

STEPS = 30
"""So many things happen in a history."""


class Exploration(NamedTuple):
    """What came of it."""

    counts: Mapping[str, int]
    """How often each kind of thing has happened; ticks, histories, moves by their reason."""
    longest: Mapping[str, float]
    """For how long two have answered where that is excused, in seconds, by its cause."""
    fault: str
    """A history in which something is wrong, step by step; empty: there is none."""


def explored(
    histories: int,
    number: int,
    weak: Weak = frozenset(),
    trouble: tuple[str, ...] = (),
    *,
    shrinks: bool = True,
) -> Exploration:
    """Make so many histories: always the same ones for the same number."""

    class State(Histories):
        """As they are called in what is printed."""

    State.weak, State.counts, State.longest, State.trouble = weak, Counter(), {}, trouble
    how = settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    fault = ""
    try:
        run_state_machine_as_test(seed(number)(State), settings=how)
    except Exception as error:  # noqa: BLE001 - a core that fails is a fault, too
        name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        fault = "\n".join([f"{name}{error}", *getattr(error, "__notes__", ())])
    return Exploration(State.counts, State.longest, fault)


def main() -> None:
    """Explore as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("weakening", nargs="*", help=f"some of {', '.join(WEAKENINGS)}")
    options = parser.parse_args()
    started = time.monotonic()
    found = explored(options.histories, options.seed, frozenset(options.weakening))
    print(found.fault or "clean")
    print(summary(found), f"{time.monotonic() - started:.0f} s", sep="\n")


def summary(found: Exploration) -> str:
    """What has happened, and how often."""
    counts = [f"{count:7} {what}" for what, count in sorted(found.counts.items())]
    longest = [f"{time:7.2f} s two owners, {cause}" for cause, time in found.longest.items()]
    return "\n".join([*counts, *longest])


if __name__ == "__main__":
    main()
