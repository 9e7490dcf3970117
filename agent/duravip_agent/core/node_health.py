"""Problems that keep this node from serving anything, whatever it is granted.

While there is one nothing is active (`facts`), the status reports it (`status_publisher`), and the
operator lets other nodes have the addresses. A problem that is gone must stay away for a while
before the node counts again, and for longer each time: a node that flaps is worse than one that
stays out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from duravip_api.reasons import Reason

STEADY_S, MAX_STEADY_S = 1.0, 60.0
"""How long a problem must stay away before it counts as gone: the first time, and at most."""

FORGOTTEN_AFTER_S = 300.0
"""After this long without the problem its next time is a first time."""

FEEDS_DO_NOT_ARRIVE = (
    "what keeps the fence open does not arrive: some rule on lo, or in an output chain, drops or "
    "changes it (UDP to 127.0.0.1:9 with the mark 0x56495044)"
)
"""The message of the reason Muted."""


class HealthProblem(NamedTuple):
    """What is wrong."""

    reason: Reason
    message: str


@dataclass(slots=True)
class _ProblemRecord:
    message: str
    is_open: bool
    seen: float
    """When it was last found to be wrong."""
    steady: float
    """How long it must be well."""


class NodeHealth:
    """Remembers problems. For the loop's thread; times are by the agent's clock."""

    def __init__(self) -> None:
        self._records: dict[Reason, _ProblemRecord] = {}
        self.problem: HealthProblem | None = None
        """The gravest one; None: there is none."""
        self.unguarded: Mapping[str, str] = {}
        """Interfaces that the fence cannot guard, each with the reason: nothing is held there."""
        self.guard_problem = ""
        """Why no address with `expose: Declared` can be served; empty: they can."""

    def has_problem(self, reason: Reason) -> bool:
        """Whether there is this problem."""
        record = self._records.get(reason)
        return record is not None and record.is_open

    def report_failure(self, reason: Reason, message: str, now: float) -> None:
        """This is wrong at this moment."""
        record = self._records.get(reason)
        if record is None or (not record.is_open and now - record.seen > FORGOTTEN_AFTER_S):
            self._records[reason] = _ProblemRecord(
                message, is_open=True, seen=now, steady=STEADY_S
            )
        else:
            if not record.is_open:
                record.steady = min(2 * record.steady, MAX_STEADY_S)
            record.message, record.is_open, record.seen = message, True, now
        self._choose()

    def report_recovery(self, reason: Reason, now: float) -> None:
        """This was looked at, and nothing is wrong with it at this moment."""
        record = self._records.get(reason)
        if record and record.is_open and now - record.seen >= record.steady:
            record.is_open = False
            self._choose()

    def _choose(self) -> None:
        problems = [
            HealthProblem(why, one.message) for why, one in self._records.items() if one.is_open
        ]
        self.problem = next(
            iter(sorted(problems, key=lambda problem: _GRAVITY[problem.reason])), None
        )


_GRAVITY = {Reason.UNFENCED: 0, Reason.MUTED: 1, Reason.AGENT_FAILING: 2}
