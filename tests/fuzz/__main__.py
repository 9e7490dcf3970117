"""Fuzz one target, or all: `python -m fuzz [--minutes N] [--seed N] [TARGET…]`."""

import argparse
import sys

from fuzz.registry import targets
from fuzz.runner import run


def main() -> None:
    """Run, print what came of it, and end with 1 if anything escaped."""
    known = targets()
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other inputs")
    parser.add_argument("--list", action="store_true", help="print the names of all targets")
    parser.add_argument("target", nargs="*", help="default: all of them")
    options = parser.parse_args()
    if options.list:
        print("\n".join(sorted(known)))
        return
    if strange := set(options.target) - known.keys():
        parser.error(f"no target: {', '.join(sorted(strange))}")
    is_bad = False
    for name in options.target or sorted(known):
        report = run(known[name](), 60 * options.minutes, options.seed)
        print(f"{name}: {report}", flush=True)
        is_bad |= bool(report.escapes)
    sys.exit(is_bad)


if __name__ == "__main__":
    main()
