"""Long histories, made by hypothesis: what happens at random, and what must hold all the time."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from duravip_operator.watch.store import Kind
from simulation.changes import Weak
from simulation.histories import troubles
from simulation.histories.actions import KINDS, NEAR, PAUSES
from simulation.histories.cluster import Cluster
from simulation.histories.reasons import Reasons
from simulation.histories.watchman import Watchman
from simulation.histories.wishes import expected, leader_of

LONGEST_REST = 800
"""Ticks within which everything settles once it is left alone."""
QUIET = 60
"""It is settled when for so many ticks nothing has moved, longer than from one balancing to the
next."""

_WEIGHTED = tuple(name for name, kind in KINDS.items() for _ in range(kind.weight))


@st.composite
def happenings(draw: st.DrawFn) -> tuple[Any, ...]:
    """`(what happens, to what …)`."""
    trouble = draw(st.runner()).trouble
    if trouble and draw(st.booleans()):
        name = draw(st.sampled_from(trouble))
    else:
        name = draw(st.sampled_from(_WEIGHTED))
    choices = KINDS[name].choices
    if draw(st.booleans()):
        choices = tuple(which for which in choices if not NEAR.isdisjoint(which)) or choices
    return (name, *draw(st.sampled_from(choices)))


class Histories(RuleBasedStateMachine):
    """One history of the cluster."""

    weak: Weak = frozenset()
    trouble: tuple[str, ...] = ()
    """What happens in half of all steps, if anything is named."""
    counts: Counter[str] = Counter()
    """How often each kind of thing has happened, and what else is worth counting."""
    longest: dict[str, float] = {}

    @initialize(hidden=st.sampled_from((frozenset(), frozenset({"eth1"}))))
    def begin(self, hidden: frozenset[str]) -> None:
        """A cluster at rest, with a segment perhaps whose nodes do not hear each other."""
        self.cluster = Cluster(self.weak, hidden)
        self.watchman = Watchman(self.cluster)
        self.reasons = Reasons(self.cluster)
        self.is_over = False
        self._rest()

    @rule(what=happenings(), ticks=st.sampled_from(PAUSES))
    def happens(self, what: tuple[Any, ...], ticks: int) -> None:
        """Something happens, and some time goes by."""
        name, *which = what
        self.counts[name] += 1
        self.reasons.note(name, which)
        KINDS[name].act(self.cluster, *which)
        self._pass(ticks)

    def teardown(self) -> None:
        """Left alone, everything comes to rest."""
        if not hasattr(self, "cluster") or self.is_over:
            return
        self._pass(1)
        troubles.mend(self.cluster)
        self.reasons.note("all is mended", ())
        self._rest()
        self.counts["histories"] += 1
        for cause, longest in self.watchman.longest.items():
            self.longest[cause] = max(longest, self.longest.get(cause, 0.0))

    def _rest(self) -> None:
        quiet = 0
        for _ in range(LONGEST_REST):
            moves = self.reasons.moves
            self._pass(1)
            is_quiet = self._is_at_rest() and self.reasons.moves == moves
            quiet = quiet + 1 if is_quiet else 0
            if quiet == QUIET:
                self.reasons.forget()
                return
        self._must(False, f"it does not come to rest: {self._owners()}")  # noqa: FBT003

    def _pass(self, ticks: int) -> None:
        for _ in range(ticks):
            self.cluster.tick()
            self.counts["ticks"] += 1
            wrong = self.watchman.look()
            self._must(not wrong, wrong)
            for name, move in self.watchman.moves():
                self.counts[f"moved: {move['reason']}"] += 1
                wrong = self.reasons.judge(name, move)
                self._must(not wrong, wrong)

    def _owners(self) -> dict[str, list[str]]:
        owners: dict[str, list[str]] = {}
        for (address, *_), nodes in self.cluster.network.audible().items():
            owners.setdefault(address, []).extend(nodes)
        return owners

    def _is_at_rest(self) -> bool:
        owners, wanted = self._owners(), expected(self.cluster)
        for address, (nodes, is_sure) in wanted.items():
            found = owners.get(address, [])
            is_right = len(found) == 1 and nodes.issuperset(found)
            if not is_right and (found or (nodes and is_sure)):
                return False
        led = leader_of(self.cluster.api).items()
        together = all(owners.get(a) == owners.get(leader) for a, leader in led)
        return together and owners.keys() <= wanted.keys() and self._statuses_say(owners)

    def _statuses_say(self, owners: dict[str, list[str]]) -> bool:
        kinds: tuple[Kind, ...] = ("DuraVIP", "Binding")
        for kind in kinds:
            for body in self.cluster.api.of_kind(kind):
                said = (body.get("status") or {}).get("owner")
                if owners.get(body["spec"]["address"], []) != [said] * bool(said):
                    return False
        return True

    def _must(self, is_well: bool, otherwise: str) -> None:
        if not is_well:
            self.is_over = True
            raise AssertionError(otherwise)


def replayed(
    steps: Iterable[tuple[tuple[Any, ...], int]], hidden: str = "", weak: Weak = frozenset()
) -> int:
    """One history, whose steps are given; fails as a random one would. Gives back its ticks."""
    history = Histories()
    history.counts, history.longest, history.weak = Counter(), {}, weak
    history.begin(frozenset({hidden} - {""}))
    for what, ticks in steps:
        history.happens(what, ticks)
    history.teardown()
    return history.counts["ticks"]
