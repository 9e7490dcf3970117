"""Nodes whose beats and whose status do not agree about what they serve.

Both name the generation that the agent has acted on. Under the same one a beat may be ahead of the
status for as long as a write takes; a difference that lasts for `LASTING`, while no other status
is written, is no delay but a broken node: its word about a release is worth nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from duravip_operator.core.snapshot import Plumbing

LASTING: Final = 5.0


class Difference(NamedTuple):
    """A status that the beats contradict."""

    status: str
    """The digest of what it says is served."""
    since: float


Differences = Mapping[str, Difference]
"""By node."""


def differences(
    known: Differences,
    plumbings: Mapping[str, Plumbing],
    beats: Mapping[str, tuple[str, int, str]],
    digest: Callable[[Plumbing], str],
    now: float,
) -> Differences:
    """What is known after another look; `beats` are `(boot, generation, digest)` by node."""
    found: dict[str, Difference] = {}
    for name, (boot, generation, said) in beats.items():
        plumbing = plumbings.get(name)
        if plumbing is None or (boot, generation) != (plumbing.boot, plumbing.observed):
            continue
        written = digest(plumbing)
        if said != written:
            before = known.get(name)
            is_same = before is not None and before.status == written
            found[name] = before if before and is_same else Difference(written, now)
    return found


def distrusted(known: Differences, now: float) -> frozenset[str]:
    """The nodes whose difference has lasted too long."""
    return frozenset(name for name, found in known.items() if now - found.since >= LASTING)
