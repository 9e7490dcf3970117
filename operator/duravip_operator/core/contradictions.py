"""Nodes whose beats and whose status do not agree about what they serve.

Both name the generation that the agent has acted on. Under the same one a beat may be ahead of the
status for as long as a write takes; a difference that lasts for `LASTING`, while no other status
is written, is no delay but a broken node: its word about a release is worth nothing. It is set
aside until both agree again; that it then serves something else is no sign of that.
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
    lasts: bool
    """Whether it has lasted too long."""


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
    found = {n: before for n, before in known.items() if before.lasts and n in plumbings}
    for name, (boot, generation, said) in beats.items():
        plumbing = plumbings.get(name)
        if plumbing is None or (boot, generation) != (plumbing.boot, plumbing.observed):
            continue
        written, before = digest(plumbing), known.get(name)
        if said == written:
            found.pop(name, None)
            continue
        since = before.since if before and before.status == written else now
        lasts = name in found or now - since >= LASTING
        found[name] = Difference(written, since, lasts)
    return found


def distrusted(known: Differences) -> frozenset[str]:
    """The nodes whose difference has lasted too long."""
    return frozenset(name for name, found in known.items() if found.lasts)
