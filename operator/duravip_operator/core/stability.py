"""Flap damping: how long a node must have been well before anything returns to it.

An address leaves a node that is not well at once. It returns by preference or by balancing, that
is without need, and so it can wait: each return is a planned move, which clients notice, and a
node that comes and goes would cause one each time. The rule:

- A node is well in several *aspects*: its agent is heard without a gap and can serve, an interface
  is up, it is fit by a readiness key. Each aspect of a node has a *spell*: since when it has been
  well without a gap.
- What was lost once returns as soon as the node may take it again: an agent after `mature` seconds
  of heartbeats without a gap, an interface at once; and when the node has been fit for `mature`
  seconds, for a server that has just started may end again. What is lost again within
  `FLAP_WINDOW_S` of the loss before must be well for twice as long each time, counting from
  `mature`, up to `max_damping`.
- A node that was stopped or drained on purpose has not flapped: its spell ends, its losses do not
  grow in number. A hiccup, a suspicion that does not last, ends nothing.

The spells are what this leader has seen. A new leader begins with none: it trusts the nodes that
it finds well, and counts durations from then on.
"""

from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

FLAP_WINDOW_S = 600.0
"""Losses at most this far apart, in seconds, belong to one streak."""
_MAX_STREAK = 16
"""Losses beyond this many are not counted: the wait has long been the longest."""


class Aspect(NamedTuple):
    """In what a node can be well."""

    kind: Literal["agent", "interface", "readiness"]
    name: Hashable = ""
    """The interface's name, or the readiness key."""


AGENT = Aspect("agent")
"""The agent is heard, and can serve."""


class Spell(NamedTuple):
    """What has been seen of one aspect of one node."""

    since: float | None
    """Since when it is well, by the operator's clock in seconds; None: it is not."""
    lost_at: float = 0.0
    """When it was lost last; meaningless while `streak` is 0."""
    streak: int = 0
    """How many losses followed one another, each within `FLAP_WINDOW_S` of the one before."""


class Sighting(NamedTuple):
    """One aspect of all nodes, as one snapshot shows it."""

    well: frozenset[str]
    excused: frozenset[str] = frozenset()
    """Nodes that are not well because somebody has stopped them."""
    unsure: frozenset[str] = frozenset()
    """Nodes of which nothing new is known."""


@dataclass(frozen=True, slots=True)
class Stability:
    """The spells of all nodes at one moment."""

    now: float = 0.0
    mature: float = 0.0
    """The time for which a node is heard before it is given anything, in seconds."""
    spells: Mapping[Aspect, Mapping[str, Spell]] = field(default_factory=dict)
    sightings: Mapping[Aspect, Sighting] = field(default_factory=dict)
    """What the spells were last updated with."""
    max_damping: float = 300.0
    """No streak makes a node wait for longer than this, in seconds."""

    def is_quiet(self) -> bool:
        """Whether every node that is well has settled. It looks at all spells."""
        return all(
            spell.since is None or spell.since + self.damping_of(aspect, spell) <= self.now
            for aspect, spells in self.spells.items()
            for spell in spells.values()
        )

    def settles_at(self, node: str, aspects: Iterable[Aspect], least: float = 0.0) -> float:
        """When the node has been well for long enough in all aspects, and for `least` seconds.

        Earlier than `now` if it has been; infinite while it is not well. A node that nothing has
        been seen of counts as well.
        """
        latest = self.now
        for aspect in aspects:
            spell = self.spells.get(aspect, {}).get(node)
            if spell is None:
                continue
            if spell.since is None:
                return float("inf")
            latest = max(latest, spell.since + max(least, self.damping_of(aspect, spell)))
        return latest

    def damping_of(self, aspect: Aspect, spell: Spell) -> float:
        """How long the node must be well after its last loss before something returns to it.

        In seconds, beyond what it takes until it may be given anything at all.
        """
        doublings = spell.streak - 1 if self.is_flapping(spell) else 0
        wait = min(max(self.mature, self.max_damping), self.mature * 2.0**doublings)
        return wait if aspect.kind == "readiness" else wait - self.mature

    def is_flapping(self, spell: Spell) -> bool:
        """Whether it was lost several times, the last time less than `FLAP_WINDOW_S` ago."""
        return spell.streak > 1 and self.now - spell.lost_at <= FLAP_WINDOW_S


def update(
    previous: Stability,
    sightings: Mapping[Aspect, Sighting],
    nodes: AbstractSet[str],
    now: float,
) -> Stability:
    """The spells of these nodes after one more look; `now` in seconds."""
    spells: dict[Aspect, Mapping[str, Spell]] = {}
    for aspect, sighting in sightings.items():
        before = previous.spells.get(aspect, {})
        is_same = previous.sightings.get(aspect) == sighting
        spells[aspect] = before if is_same else _updated(before, sighting, nodes, now)
    return replace(previous, now=now, spells=spells, sightings=sightings)


def _updated(
    before: Mapping[str, Spell], sighting: Sighting, nodes: AbstractSet[str], now: float
) -> dict[str, Spell]:
    after: dict[str, Spell] = {}
    for node in (before.keys() | sighting.well) & nodes:
        spell = before.get(node)
        if spell is None:
            after[node] = Spell(now)
        elif node in sighting.unsure:
            after[node] = spell
        elif node in sighting.well:
            after[node] = spell._replace(since=now) if spell.since is None else spell
        elif spell.since is None or node in sighting.excused:
            after[node] = spell._replace(since=None)
        else:
            is_again = now - spell.lost_at <= FLAP_WINDOW_S
            streak = min(_MAX_STREAK, spell.streak + 1) if is_again else 1
            after[node] = Spell(None, now, streak)
    return after
