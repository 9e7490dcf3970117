"""The command line: `python -m kernels [--suite SUITE ...] [TEST ...]`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from kernels.debian import ARCHIVES, newest_kernel
from kernels.initramfs import write_image
from kernels.machine import TESTS, Result, results
from kernels.table import table, wrongs
from lab import requirements
from lab.errors import LabError
from lab.programs import cache


def main(argv: list[str] | None = None) -> int:
    """Run checks; 0 when all have passed on all kernels, 1 when not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m kernels", description=__doc__)
    parser.add_argument("--suite", action="append", choices=ARCHIVES, help="(default: all)")
    parser.add_argument("test", nargs="*", help="as pytest takes it, from tests/ (default: all)")
    chosen = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        requirements.ensure("kernels", say)
        cache().mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache(), prefix="kernels-") as work:
            found = _run(chosen.suite or [*ARCHIVES], chosen.test or TESTS, Path(work))
    except LabError as error:
        print(f"cannot go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    print(table(found))
    wrong = [*wrongs(found)]
    print(*wrong, sep="\n\n")
    return int(bool(wrong))


def _run(suites: list[str], tests: Sequence[str], work: Path) -> dict[str, list[Result]]:
    """What came of the checks, by the release of the kernel."""
    found: dict[str, list[Result]] = {}
    say("making the root of the virtual machines")
    image = work / "image"
    write_image(image)
    for suite in suites:
        kernel = newest_kernel(suite, say)
        say(f"booting Linux {kernel.release}, of {suite}")
        found[kernel.release] = []
        for result in results(kernel, image, work, tests):
            found[kernel.release].append(result)
            if result.outcome != "passed":
                say(f"{result.outcome}: {result.check}")
    return found


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"==> {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
