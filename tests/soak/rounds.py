"""One round after the other: something goes wrong, is mended, settles; and what was seen of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from lab.fleet import wait_until
from lab.observer.observation import Pace
from lab.observer.results import Double, Sight
from soak.faults import Fault, drawn
from soak.grounds import Grounds
from soak.vitals import Vitals

OBSERVED: Final = 60
"""So many addresses are observed at a time, other ones in each round."""
HEALED: Final = 0.5
"""While two halves of a segment become one, both owners answer for at most so long."""
EMPTIED_WITHIN: Final = 60.0
PACE: Final = Pace.finest(OBSERVED)
CALM: Final = (0.5, 5.0)
"""Between two rounds."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """What became of one or two faults."""

    number: int
    faults: tuple[str, ...]
    lasted: float
    settled: float
    """Seconds from the last mend until all was at rest."""
    doubles: int
    """Answers by two machines that nothing excuses."""
    healing: float
    """For so many seconds two machines answered while a segment became one again."""
    wrongs: tuple[str, ...]

    def told(self) -> str:
        """In one line."""
        healing = f", two for {self.healing * 1000:.0f} ms while it healed" if self.healing else ""
        return (
            f"{self.number:4} {' + '.join(self.faults):42} lasted {self.lasted:5.1f} s, settled "
            f"in {self.settled:5.1f} s, {self.doubles} double answers{healing}"
        )


class Rounds:
    """Makes them, as the dice fall."""

    def __init__(self, grounds: Grounds, rng: Random, say: Say) -> None:
        self._grounds = grounds
        self._rng = rng
        self._say = say
        self.done: list[Round] = []
        self.vitals = Vitals()

    def run(self, until: float) -> None:
        """One after the other; LabError when something does not become well again."""
        while time.monotonic() < until:
            made = self._round(len(self.done) + 1)
            self.done.append(made)
            self._say(made.told())
            for wrong in made.wrongs:
                self._say(f"WRONG: {wrong}")
            time.sleep(self._rng.uniform(*CALM))

    def _round(self, number: int) -> Round:
        addresses = self._grounds.objects.addresses
        some = [addresses[i] for i in sorted(self._rng.sample(range(len(addresses)), OBSERVED))]
        faults = drawn(self._grounds, self._rng)
        names = tuple(fault.name for fault in faults)
        with self._grounds.lab.observe(some, PACE) as seen:
            started = time.monotonic()
            self._strike(faults)
            healed = self._mend(faults)
            mended = time.monotonic()
            try:
                settled = self._grounds.settle()
            except Exception:
                self._say(f"{number:4} {' + '.join(names)}: does not settle")
                raise
        doubles, healing = _doubles(seen.sight, healed)
        wrongs = [f"{d.address} was answered for by {', '.join(d.machines)}" for d in doubles[:5]]
        wrongs += self._vitals()
        if seen.sight.dropped:
            self._say(f"     the observer has missed {seen.sight.dropped} frames")
        lasted = mended - started
        return Round(number, names, lasted, settled, len(doubles), healing, tuple(wrongs))

    def _strike(self, faults: Sequence[Fault]) -> None:
        """Let them happen, and last."""
        for fault in faults:
            fault.strike()
            self._rest(0.0, 1.0)
        self._rest(*max(fault.seconds for fault in faults))
        alone = faults[0]
        if len(faults) == 1 and alone.empties:
            wait_until(
                lambda: self._grounds.is_empty(alone.empties),
                f"after `{alone.name}` other nodes own everything",
                EMPTIED_WITHIN,
            )

    def _mend(self, faults: Sequence[Fault]) -> float | None:
        """Undo them; gives back when two halves of a segment became one, if any did."""
        healed = None
        for fault in self._rng.sample(faults, len(faults)):
            if fault.is_split:
                healed = time.monotonic()
            fault.mend()
            self._rest(0.0, 1.0)
        return healed

    def _rest(self, least: float, most: float) -> None:
        time.sleep(self._rng.uniform(least, most))

    def _vitals(self) -> list[str]:
        wrongs = self.vitals.look(self._grounds.programs(), time.monotonic())
        return wrongs + self.vitals.tracebacks(self._grounds.lab.layout.home)


def _doubles(sight: Sight, healed: float | None) -> tuple[list[Double], float]:
    """Answers by two machines that nothing excuses; for how long there were excused ones."""
    excused = [d for d in sight.doubles if healed and healed < d.time < healed + HEALED]
    times = [double.time for double in excused]
    lasted = max(PACE.ask, max(times) - min(times)) if times else 0.0
    return [double for double in sight.doubles if double not in excused], lasted
