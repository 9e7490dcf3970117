"""Two machines under one name: which of them may serve.

A clone, or a machine that was replaced and is still on, runs an agent with the name of another
node. Both are granted the same, both would answer. Each tells in its status which machine it runs
on, and each sees when the other has written there. The one that came later yields:

N1  Before its first report an agent reads who has reported last. If that was another machine,
    which has not said goodbye, it knocks: it changes nothing in that one's status but the name of
    the machine. Then it acts on nothing, and looks for `SETTLE_AFTER_S` seconds whether that one
    writes again: a living agent puts its status back at once. Only then does it report itself.
    Until then the key by which the operator knows the node's heartbeats stays that of the earlier
    agent: one that lives must not fall silent because another one knocks.
N2  If it does, now or whenever later, the machine was there before: this agent ends.
N3  Whoever else writes came later and will find that out by itself: this agent stays, and says so.
    If it does not, because neither has seen the other begin, the lower name stays.

Where the earlier one cannot reach the API server it does not learn of the other, whose addresses
it yields when those are announced (A4 of the hand-over rule).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from duravip_api.reasons import Reason

SETTLE_AFTER_S = 2.0
"""More than the pause between two writes of an agent whose status is overwritten."""
FREQUENT_WRITES, FREQUENT_WITHIN_S = 5, 30.0
"""Who writes this often, within `FREQUENT_WITHIN_S`, does not notice that it came later."""
KNOCKING = "?"
"""Follows the name of a machine that knocks, and has not reported yet."""
REMEMBERED_FOR_S = 600.0
"""How long the status reports that there was another machine."""

Body = Mapping[str, Any]


class StatusAuthor(NamedTuple):
    """Who has written a status."""

    boot: str
    machine: str
    """An agent that does not tell is taken for a machine of its own."""


def author_of(status: Body) -> StatusAuthor | None:
    """Who has written a status; None = nobody who says so."""
    agent = status.get("agent") or {}
    boot = str(agent.get("boot") or "")
    return StatusAuthor(boot, str(agent.get("machine") or boot)) if boot else None


class DuplicateNodeRule:
    """What is known of other machines under this node's name. Times are of one steady clock."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._before: StatusAuthor | None = None
        """Who has reported last before this agent did, and may still run elsewhere."""
        self._introduced: float | None = None
        self._version = 0
        self._others: dict[str, list[float]] = {}
        """By machine, when it wrote lately."""
        self.ends = ""
        """Why this agent has to end; empty: it need not."""

    def set_previous(self, status: Body) -> None:
        """The status was like this before the first report."""
        before = author_of(status)
        reasons = {c.get("type"): c.get("reason") for c in status.get("conditions") or ()}
        has_ended = reasons.get("Ready") == Reason.AGENT_STOPPED
        is_other = before is not None and before.machine != self._machine
        self._before = before if is_other and not has_ended else None

    @property
    def must_knock(self) -> bool:
        """Whether another machine may still run: it gets time to answer first."""
        return self._before is not None

    def first_report_stored(self, version: int, now: float) -> None:
        """The knock, or else the first report, was stored in this version of the object."""
        if self._introduced is None:
            self._introduced, self._version = now, version

    def is_settled(self, now: float) -> bool:
        """Whether the agent may act (N1)."""
        if self._introduced is None:
            return False
        return self._before is None or now - self._introduced >= SETTLE_AFTER_S

    def observe(self, status: Body, version: int, now: float) -> bool:
        """The status is like this; whether there is something new to say."""
        other = author_of(status)
        if self._introduced is None or version <= self._version:
            return False
        if other is None or other.machine.removesuffix(KNOCKING) == self._machine:
            return False
        times = [t for t in self._others.get(other.machine, ()) if now - t < FREQUENT_WITHIN_S]
        is_news = other.machine not in self._others
        self._others[other.machine] = [*times, now]
        is_stubborn = len(times) + 1 >= FREQUENT_WRITES and other.machine < self._machine
        was_before = self._before is not None and other.boot == self._before.boot
        if was_before or is_stubborn:
            self.ends = (
                f"another machine reports as this node already (boot {other.boot}): two machines "
                "have one name, and this one, which came later, ends"
            )
        return is_news

    def message(self, now: float) -> str:
        """What to report about other machines; empty: there are none."""
        lately = {
            machine: times[-1]
            for machine, times in self._others.items()
            if now - times[-1] < REMEMBERED_FOR_S
        }
        self._others = {m: times for m, times in self._others.items() if m in lately}
        if not lately:
            return ""
        return (
            "another machine has reported under this node's name: "
            f"{max(lately, key=lambda m: lately[m]).removesuffix(KNOCKING)}; "
            f"this one is {self._machine}"
        )
