"""What is printed in the end. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from duravip_runtime.text import format_table
from kernels.machine import Result

CARDS = "kernels/guest/cards.py::"
OF_A_CARD = re.compile(r"\[([a-z0-9.-]*[a-z])\]$")
"""What the tests of cards are called after."""


def table(found: Mapping[str, Sequence[Result]]) -> str:
    """How many checks of each sort have passed, of how many, on each kernel."""
    sorts = dict.fromkeys(sort_of(result) for results in found.values() for result in results)
    rows = [("checks passed of", *(f"Linux {release}" for release in found))]
    for sort in sorts:
        alike = [[r for r in results if sort_of(r) == sort] for results in found.values()]
        rows.append((sort, *(f"{sum(map(is_passed, some))}/{len(some)}" for some in alike)))
    return format_table(rows)


def wrongs(found: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """What is wrong: each check that has not passed, and a kernel on which none was run."""
    for release, results in found.items():
        if not results:
            yield f"Linux {release}: not one check was run"
        for result in results:
            if not is_passed(result):
                yield f"Linux {release}: {result.outcome}: {result.check}\n{result.detail}"


def is_passed(result: Result) -> bool:
    """Whether it has; a check that was skipped has not."""
    return result.outcome == "passed"


def sort_of(result: Result) -> str:
    """The card that a check is about, or the file that it is in."""
    if not result.check.startswith(CARDS):
        return result.check.partition("::")[0]
    card = OF_A_CARD.search(result.check)
    return f"card: {card[1]}" if card and card[1] != "--node-local" else "machine"
