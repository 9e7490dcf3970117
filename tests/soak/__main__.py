"""The command line: `python -m soak`."""

import argparse
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path
from random import Random

from lab.cluster import Lab
from lab.errors import LabError
from soak.absence import stay_away
from soak.grounds import Grounds
from soak.rounds import OBSERVED, Rounds
from soak.table import health, table

ROOT = Path(__file__).parents[2]
CASES = {
    "random": "one or two faults at a time, as the dice fall, until the time is over",
    "no-control-plane": "API server and operators away for all of the time",
}


def main(argv: list[str] | None = None) -> int:
    """Run it; 0 when nothing was wrong, 1 when something was, 130 when interrupted."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    say(f"{arguments.case}, {arguments.minutes:g} minutes; again with --seed={seed}")
    try:
        with Lab("api", say=say) as lab:
            wrongs = _run(lab, arguments, Random(seed))  # noqa: S311 (dice, not secrets)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except LabError as error:
        print(f"cannot go on: {error}", file=sys.stderr)
        return 1
    say("nothing was wrong" if not wrongs else f"{len(wrongs)} things were wrong")
    return int(bool(wrongs))


def _run(lab: Lab, arguments: argparse.Namespace, rng: Random) -> list[str]:
    """One case; what was wrong. The logs are kept when anything was."""
    wrongs = ["it has not come to its end"]
    try:
        grounds = Grounds(lab, rng)
        say(f"{arguments.addresses} addresses are set up")
        grounds.start(arguments.addresses)
        if arguments.case == "random":
            wrongs = _random(grounds, rng, arguments.minutes)
        else:
            wrongs = stay_away(grounds, arguments.minutes, say)
            for wrong in wrongs:
                say(f"WRONG: {wrong}")
    finally:
        if wrongs:
            kept = keep_logs(lab.layout.home, arguments.logs)
            say(f"logs: {kept}")
    return wrongs


def _random(grounds: Grounds, rng: Random, minutes: float) -> list[str]:
    rounds = Rounds(grounds, rng, say)
    try:
        rounds.run(time.monotonic() + minutes * 60)
    finally:
        if rounds.done:
            print(f"\n{table(rounds.done)}\n\n{health(rounds.vitals)}\n", flush=True)
    return [wrong for one in rounds.done for wrong in one.wrongs]


def keep_logs(home: Path, where: Path) -> Path:
    """Copy the programs' logs, and what the observer saw, out of the lab; where they are now."""
    for found in (*home.glob("*/duravip-*.log"), *home.glob("*/observation-*.json")):
        target = where / found.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, target)
    return where


def say(line: str) -> None:
    """Tell of the progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m soak",
        description="Lets things go wrong at random, and looks from outside whether two nodes "
        "ever answer for one address, and whether all becomes well again. Needs root. See "
        "tests/soak/README.md.",
        epilog="Cases: " + "; ".join(f"{name}: {what}" for name, what in CASES.items()),
    )
    add = parser.add_argument
    add("--case", choices=list(CASES), default="random")
    add("--minutes", type=float, default=60.0, metavar="N", help="default: 60")
    add("--addresses", type=_count, default=60, metavar="N", help="default: 60")
    add("--seed", type=int, metavar="S", help="the dice; without it, others each time")
    add("--logs", type=Path, default=ROOT / "soak-logs", metavar="FOLDER",
        help="where logs go when something was wrong")  # fmt: skip
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not OBSERVED <= number <= 2000:
        raise argparse.ArgumentTypeError(f"must be {OBSERVED} to 2000, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
