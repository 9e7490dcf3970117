"""What starved is told from what the kernel has counted, and no double owner is forgiven."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lab_starved import STARVED_S, Watch

BUSY = "import time; end = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
ONE_PROCESSOR = ("taskset", "--cpu-list", "0")


@pytest.fixture
def crowd() -> Iterator[None]:
    """Four programs on one processor, each of which calls itself an agent of ours."""
    argv = [*ONE_PROCESSOR, sys.executable, "-c", BUSY, "duravip-agent"]
    started = [subprocess.Popen(argv) for _ in range(4)]
    yield
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("crowd")
def test_who_stands_in_line_for_a_processor_has_starved() -> None:
    watch = Watch()
    while watch.longest <= STARVED_S:
        time.sleep(0.1)
    assert watch.forgives(AssertionError("assert 2.1 < 2.0"))
    assert not watch.forgives(AssertionError("assert 1 == 0\n where 1 = Sight().double_owners"))
    assert not Watch().forgives(AssertionError("assert 2.1 < 2.0"))
