"""A virtual machine that boots a kernel, runs the checks there, and tells what came of each.

QEMU computes every instruction itself (TCG), and the machine's clock counts instructions. So no
hardware support is needed, and the tests' waits are as long as they say, however busy the host is.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, Final

from kernels.debian import Kernel
from kernels.initramfs import CHECKS, write_modules
from lab.errors import LabError

QEMU: Final = "qemu-system-x86_64"
MEMORY_MIB: Final = 2048
CLOCK: Final = "shift=2,sleep=off"
"""4 ns an instruction; where all wait, the clock is set to the moment that they wait for."""
PATIENCE_S: Final = 1800.0
START: Final = f"/{CHECKS}/kernels/guest/start.py"
TESTS: Final = (
    "kernels/guest/cards.py",
    "netns/test_connections_at_move.py",
    "netns/test_fence.py",
    "netns/test_fence_damage.py",
    "netns/test_fence_life.py",
    "netns/test_fence_refusals.py",
    "netns/test_former_owner.py",
    "netns/test_guard.py",
    "netns/test_next_hops.py",
    "--deselect=netns/test_former_owner.py::test_thousands_at_once_hold_nobody_up",
    "--deselect=netns/test_fence_damage.py::test_one_address_of_thousands_that_is_taken_out_is_missed_after_a_while",
)
"""The tests that are run: those of cards, and those of `netns` that need no cluster. Thousands of
addresses take a processor that is computed too long."""
FINISHED: Final = {0, 1}
"""Exit codes of pytest when it has run all tests."""
LAST_LINES: Final = 30
"""Of the console, where a machine has not come to its end."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check."""

    check: str
    """`FILE::TEST[PARAMETERS]`"""
    outcome: str
    """`passed`, or anything else."""
    detail: str


def results(
    kernel: Kernel, image: Path, work: Path, tests: Sequence[str] = TESTS
) -> Iterator[Result]:
    """Run checks on a kernel; LabError when it has not come to the end of them."""
    root, console = work / f"{kernel.release}.initramfs", work / f"{kernel.release}.console"
    write_modules(root, kernel)
    with root.open("ab") as file, image.open("rb") as common:
        file.write(common.read())
    is_complete = False
    with subprocess.Popen(_command(kernel, root, console, tests), **_ends()) as machine:
        over = Timer(PATIENCE_S, machine.kill)
        over.start()
        try:
            for line in machine.stdout or ():
                told = _told(line)
                is_complete |= told.get("exit_code") in FINISHED
                if "check" in told:
                    yield Result(**told)
        finally:
            over.cancel()
            machine.kill()
            root.unlink()
    if not is_complete:
        last = console.read_text(errors="replace").splitlines()[-LAST_LINES:]
        raise LabError(f"Linux {kernel.release} has not come to the end:\n" + "\n".join(last))


def _command(kernel: Kernel, root: Path, console: Path, tests: Sequence[str]) -> list[str]:
    """The machine ends with us, and with a panic of its kernel."""
    first = ("rdinit=/usr/bin/python3", "--", START, *tests)
    boot = " ".join(("console=ttyS0", "panic=-1", "tsc=reliable", "mitigations=off", *first))
    return [
        *("setpriv", "--pdeathsig=KILL", QEMU),
        *("-accel", "tcg", "-icount", CLOCK, "-cpu", "max", "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-no-reboot", "-display", "none"),
        *("-serial", f"file:{console}", "-serial", "stdio"),
        *("-kernel", str(kernel.image), "-initrd", str(root), "-append", boot),
    ]


def _ends() -> dict[str, Any]:
    return {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}


def _told(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        raise LabError(f"the machine's second line says {line!r}") from None
