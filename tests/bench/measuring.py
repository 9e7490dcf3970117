"""One case, measured again and again: settle, look, make it happen, look on, read."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import isfinite

from bench import doubles
from bench.phases import phases_ms
from bench.plans import AWAY, Cell
from bench.results import LATE, Run, worst
from bench.spread import NODES, VICTIM, at_home, sample
from bench.systems.system import System
from lab.cluster import Lab
from lab.errors import LabError
from lab.observer.observation import Pace
from lab.observer.results import Sight

FROM_THE_EVENT = frozenset({"crash", "leader-and-owner", "agent-killed", "agent-frozen"})
"""Cases timed from the event to the first answer after it; of others the longest gap counts."""
FAIL_OVERS = frozenset({"crash", "leader-and-owner"})
"""Cases of which the logs tell the phases."""
AWAY_FOR = {True: 5.0, False: 20.0}
"""How long the control plane is away, quickly or not."""
BEFORE = 0.3
"""The observer has learnt who owns what, and the client's neighbour cache is stale, by then."""
AFTER_THE_END = 1.0
LONGEST_LOOK = 30.0
MOST_TOLD = 5
"""Of so many doubles of a run all is said."""
LOST_FRAMES = "the observer lost frames"

Say = Callable[[str], None]


class Measuring:
    """Measures cells of one system on one lab."""

    def __init__(self, lab: Lab, system: System, say: Say, *, is_quick: bool) -> None:
        self._lab = lab
        self._system = system
        self._say = say
        self._is_quick = is_quick

    def runs(self, cell: Cell, deadline: float) -> Iterator[Run]:
        """As many runs as are wanted, or fit before the deadline; each as soon as it is known."""
        took, done = 0.0, 0
        while done < cell.runs and time.monotonic() + took < deadline:
            begun = time.monotonic()
            self._system.settle(cell.case)
            run = self._run(cell)
            took = time.monotonic() - begun
            if run is None:
                self._say(f"{cell.label}: a run is set aside: {LOST_FRAMES}")
                continue
            done += 1
            self._say(_told(cell, done, run))
            yield run

    def _look(self, cell: Cell, addresses: Sequence[str]) -> None:
        """Look on until the addresses ought to be back, and then until they really are."""
        if cell.case == AWAY:
            time.sleep(AWAY_FOR[self._is_quick])
            return
        end = time.monotonic() + LONGEST_LOOK
        time.sleep(self._system.patience(cell.case, cell.addresses))
        while len(self._lab.who_answers(addresses)) < len(addresses):
            if time.monotonic() > end:
                return
            time.sleep(1)

    def _run(self, cell: Cell) -> Run | None:
        """None: the observer lost frames, so what it saw is not to be trusted."""
        case, addresses = cell.case, observed(cell.case, cell.addresses)
        pace = Pace.finest(len(addresses))
        with self._lab.observe(addresses, pace, is_recorded=True) as seen:
            time.sleep(BEFORE)
            to_wall = time.time() - time.monotonic()
            event = self._system.acts[case]()
            self._look(cell, addresses)
            if case in self._system.ends:
                self._system.ends[case]()
                time.sleep(AFTER_THE_END)
        sight = seen.sight
        if sight.dropped:
            return None
        seconds = outage(case, sight, event)
        phases: dict[str, float] = {}
        if case in FAIL_OVERS and isfinite(seconds):
            with suppress(OSError):
                log = list(self._system.log())
                wall = event + to_wall
                phases = phases_ms(log, wall, wall + seconds) if log else {}
        kinds = self._explained(sight, to_wall)
        return Run(seconds, sight.double_owners, phases, sight.late, kinds)

    def _explained(self, sight: Sight, to_wall: float) -> dict[str, int]:
        """How many doubles of each kind there are; of the first ones all is said."""
        if not sight.doubles:
            return {}
        released: dict[str, list[float]] = {}
        with suppress(OSError):
            released = doubles.releases(self._system.log(), to_wall)
        kinds = [doubles.kind_of(double, released) for double in sight.doubles]
        for double, kind in list(zip(sight.doubles, kinds, strict=True))[:MOST_TOLD]:
            self._say(doubles.told(double, kind))
        return doubles.counted(kinds)


def observed(case: str, count: int) -> list[str]:
    """Which addresses are looked at: of the node to which something happens, else of all."""
    if case == AWAY:
        return sample([address for node in NODES for address in at_home(node, count)])
    return sample(at_home(VICTIM, count))


def outage(case: str, sight: Sight, event: float) -> float:
    """The figure of one run: that of the worst address."""
    silent = [a for a in sight.addresses if sight.answered_from[a] is None]
    if silent:
        raise LabError(f"{silent[0]} did not answer before anything happened")
    if case in FROM_THE_EVENT:
        return worst(sight.back_after(address, event) for address in sight.addresses)
    return sight.worst_gap(event)


def _told(cell: Cell, done: int, run: Run) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in run.kinds.items())
    twice = f", {run.doubles} double answers ({kinds})" if run.doubles else ""
    late = f", the observer was late by {run.late * 1000:.0f} ms" if run.late > LATE else ""
    return f"{cell.label}: run {done} of {cell.runs}: {run.seconds:.3f} s{twice}{late}"
