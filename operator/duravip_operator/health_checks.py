"""What /healthz and /readyz answer.

A part that ends once a second and is started again looks well at every moment; so restarts are
remembered, and a replica whose parts do not stay up is not ready.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from duravip_runtime.http_pages import Probe

RESTARTS_REMEMBERED_S: Final = 90.0
"""So long an end counts."""
MAX_TOLERATED_RESTARTS: Final = 1
"""So many ends within that time are an accident."""
AGENTS_HEARD_WITHIN_S: Final = 10.0
"""A replica that does not hear the agents is not ready for so long, and twice what makes an agent
mature."""
FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 30.0


class RestartHistory:
    """The ends of one part. From any thread."""

    def __init__(self, part: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`part` begins a sentence, e.g. `kopf`."""
        self._part = part
        self._clock = clock
        self._ends: deque[tuple[float, str]] = deque(maxlen=100)

    def record_end(self, why: str) -> float:
        """The part has ended; the seconds to wait before it is started again."""
        self._ends.append((self._clock(), why))
        recent = len(self._recent())
        return min(FIRST_BACKOFF_S * 2.0 ** (recent - 1), MAX_BACKOFF_S)

    def problem(self) -> str:
        """What is wrong; empty: the part stays up."""
        recent = self._recent()
        if len(recent) <= MAX_TOLERATED_RESTARTS:
            return ""
        times = f"{len(recent)} times within {RESTARTS_REMEMBERED_S:g} s"
        return f"{self._part} has ended {times}, at last: {recent[-1]}"

    def _recent(self) -> list[str]:
        since = self._clock() - RESTARTS_REMEMBERED_S
        return [why for when, why in list(self._ends) if when > since]


class AgentContact:
    """Whether this replica hears the agents, and has done so for long enough to lead.

    An upgrade replaces one replica after the other, as each new one is ready: one that leads
    before agents know its key, or counts them as young, could grant nothing to anybody. From any
    thread.
    """

    def __init__(
        self,
        agents: Callable[[], Collection[str]],
        alive: Callable[[], Collection[str]],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`agents` are the nodes whose agents have reported, `alive` those heard for long enough;
        after `patience` seconds it is ready all the same: the agents may be what fails.
        """  # noqa: D205
        self._agents, self._alive = agents, alive
        self._until = clock() + patience
        self._clock = clock
        self._is_made = False

    def problem(self) -> str:
        """What is wrong; empty: it hears more than half of them, or once did."""
        agents = set(self._agents())
        heard = len(agents.intersection(self._alive()))
        is_enough = not agents or 2 * heard > len(agents)
        self._is_made |= is_enough or self._clock() >= self._until
        return "" if self._is_made else f"{heard} of {len(agents)} agents are heard, and mature"


LOOP_TURN_TIMEOUT_S: Final = 4.0
"""How long the loop may take to turn once; the kubelet waits for 5 s."""


def health_checks(
    loop: asyncio.AbstractEventLoop, is_warm: Callable[[], bool], problems: Sequence[Probe]
) -> Mapping[str, Probe]:
    """By path: it lives while its loop turns.

    It is ready when every kind was listed (`is_warm`), and no part has one of the `problems`.
    """

    def alive() -> str:
        turned = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
        try:
            turned.result(LOOP_TURN_TIMEOUT_S)
        except TimeoutError:
            turned.cancel()
            return f"the loop has not turned for {LOOP_TURN_TIMEOUT_S:g} s"
        return ""

    def ready() -> str:
        if not is_warm():
            return "not every kind was listed yet"
        return "; ".join(filter(None, (problem() for problem in problems)))

    return {"/healthz": alive, "/readyz": ready}
