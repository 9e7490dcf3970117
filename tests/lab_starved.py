"""A pytest plugin: what fails in a lab while our programs starve is tried again, twice at most.

An agent that waits long for a processor falls silent, and its addresses move: rightly so, and the
test saw another history than it meant to. Whether they waited is not guessed from what they did:
the kernel counts for every thread how long it stood in line. That two machines answered for one
address is no matter of time: it is never forgiven.
"""

import os
import re
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

WINDOW_S: Final = 0.5
STARVED_S: Final = 0.15
"""A thread that waited so long within a window starved: agents are suspected as soon."""
GROWN_UP_S: Final = 2.0
"""Younger processes start, and starts compete for the processors anywhere."""
RERUNS: Final = 2
OURS: Final = re.compile(rb"duravip-(agent|operator)\b|leaky_agent|liar\.py")
TWO_OWNERS: Final = re.compile(r"double_owners|Double\(")
LAB_TIERS: Final = {"api", "netns", "faults", "images", "e2e"}


class Watch:
    """Looks at all our programs on this machine from a thread of its own."""

    def __init__(self) -> None:
        self.longest = 0.0
        """Seconds that a thread waited within one window, since somebody set it to 0."""
        self._waited: Mapping[Path, float] = {}
        Thread(target=self._run, name="starved", daemon=True).start()

    def forgives(self, error: BaseException) -> bool:
        """Whether a test that failed like this is tried again."""
        return self.longest > STARVED_S and not TWO_OWNERS.search(str(error))

    def _run(self) -> None:
        while True:
            due = time.monotonic() + WINDOW_S
            time.sleep(WINDOW_S)
            waited = {task: seconds for pid in _processes() for task, seconds in _threads(pid)}
            longer = [
                seconds - self._waited.get(task, seconds) for task, seconds in waited.items()
            ]
            self._waited = waited
            # A machine that stood still as a whole let nobody stand in line.
            self.longest = max(self.longest, time.monotonic() - due, *longer)


def _processes() -> list[Path]:
    return [
        folder for folder in Path("/proc").glob("[0-9]*") if OURS.search(_text(folder / "cmdline"))
    ]


def _threads(process: Path) -> list[tuple[Path, float]]:
    """Each thread, and the seconds that it has waited for a processor; none while it is young."""
    fields = _text(process / "stat").rpartition(b")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    if (
        not fields
        or time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks < GROWN_UP_S
    ):
        return []
    found = [(task, _text(task / "schedstat").split()) for task in process.glob("task/*")]
    return [(task, int(counts[1]) / 1e9) for task, counts in found if counts]


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


WATCH: Final = pytest.StashKey[Watch]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the tests of labs be tried again if our programs starved."""
    tests = Path(__file__).parent
    mine = [item for item in items if item.path.relative_to(tests).parts[0] in LAB_TIERS]
    if not mine:
        return
    watch = config.stash[WATCH] = Watch()
    for item in mine:
        item.add_marker(pytest.mark.flaky(reruns=RERUNS, condition=watch.forgives))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Count for this attempt anew."""
    if watch := item.config.stash.get(WATCH, None):
        watch.longest = 0.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in the report of a failure how long our programs waited."""
    report = yield
    if report.failed and (watch := item.config.stash.get(WATCH, None)):
        said = f"a thread of ours waited {watch.longest:.2f} s for a processor within {WINDOW_S} s"
        report.sections.append(("starved", said))
    return report
