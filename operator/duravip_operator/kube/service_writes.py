"""Keeps the writes that Services need in order: which may begin now, and which must wait.

The whole set of what is to be written is handed over again and again. What is not wanted any more
is dropped, and of one object there is one write at a time. While the next set is being worked out
nothing begins: it would give an address out behind the back of that plan. The same write of the
same object waits for twice as long each time, whatever came of the one before: so neither an API
server that is away nor one that drops a field is asked without end.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final, Literal, NamedTuple

MAX_IN_FLIGHT: Final = 12
"""Further writes wait: the API server has more urgent ones to do. The next one begins in a turn of
the event loop, which passes keep busy while addresses are given out, so fewer would wait for that.
"""
EVERY_S: Final = 1 / 250
"""From the begin of one write to that of the next."""
FIRST_PAUSE_S: Final = 0.2
MAX_PAUSE_S: Final = 30.0
"""Before the same write of the same object is made again."""
UNSEEN_FOR_S: Final = 60.0
"""After so many seconds the API server has given up a request that it did not answer."""

Action = Literal["create", "replace", "delete", "status"]
Target = tuple[Literal["DuraVIP", "Service"], str]
"""The object that is written: its kind and `namespace/name`."""


class ObjectWrite(NamedTuple):
    """One write."""

    action: Action
    body: Mapping[str, Any]
    """The object, or the patch of its status; empty: it is deleted."""
    uid: str = ""
    """The object that it is about; empty: there is none yet."""


class _Attempt(NamedTuple):
    write: ObjectWrite
    times: int
    """How often it was made."""
    began: float

    @property
    def may_repeat_at(self) -> float:
        pause = FIRST_PAUSE_S * 2.0 ** min(self.times - 1, 20)
        return self.began + min(MAX_PAUSE_S, pause)


class ServiceWrites:
    """Without threads and requests; times are arguments, of one clock."""

    def __init__(self) -> None:
        self._waiting: dict[Target, ObjectWrite] = {}
        """In the order in which they are to be made."""
        self._running: dict[Target, ObjectWrite] = {}
        self._attempts: dict[Target, _Attempt] = {}
        """The last one of each object, as long as it matters."""
        self._unseen: dict[str, tuple[ObjectWrite, float]] = {}
        """By name, what was sent of a DuraVIP and not seen yet; and until when it may come."""
        self._next = -inf

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def want(self, writes: Mapping[Target, ObjectWrite], now: float) -> None:
        """These are to be made, in this order, and no others."""
        running = self._running.items()
        self._waiting = {t: write for t, write in writes.items() if (t, write) not in running}
        old = [t for t, a in self._attempts.items() if t not in writes and now >= a.may_repeat_at]
        for target in old:
            self._attempts.pop(target)

    def hold(self) -> None:
        """Begin nothing more until the next `want`: it is made from what is known by now."""
        self._waiting = {}

    def take(self, now: float) -> tuple[Target, ObjectWrite] | None:
        """A write that may begin, if any; it is under way until `done`."""
        if len(self._running) >= MAX_IN_FLIGHT or now < self._next:
            return None
        target = next((t for t in self._waiting if self._due(t) <= now), None)
        if target is None:
            return None
        write = self._waiting.pop(target)
        self._next = now + EVERY_S
        last = self._attempts.get(target)
        times = last.times + 1 if last and last.write == write else 1
        self._attempts[target] = _Attempt(write, times, now)
        self._running[target] = write
        if write.action in {"create", "replace"}:
            self._unseen[target[1]] = (write, now + UNSEEN_FOR_S)
        return target, write

    def next_due(self) -> float | None:
        """When to look again whether one may begin; None: when one that is under way has ended."""
        if len(self._running) >= MAX_IN_FLIGHT or not self._waiting:
            return None
        due = min(map(self._due, self._waiting))
        return None if due == inf else max(self._next, due)

    def done(self, target: Target, *, is_refused: bool = False) -> None:
        """It was answered, or never will be; refused: the API server has not done it."""
        del self._running[target]
        if is_refused:
            self._unseen.pop(target[1], None)

    def unseen(
        self, is_seen: Callable[[str, Mapping[str, Any]], bool], now: float
    ) -> dict[str, ObjectWrite]:
        """What was sent of DuraVIPs, may have become true or yet become, and is not seen.

        `is_seen` says of a `namespace/name` and a body whether the cache has it so.
        """
        for name, (write, until) in list(self._unseen.items()):
            is_running = ("DuraVIP", name) in self._running
            if not is_running and (now >= until or is_seen(name, write.body)):
                del self._unseen[name]
        return {name: write for name, (write, _) in self._unseen.items()}

    def clear(self) -> None:
        """Drop what waits. What was sent may still come."""
        self._waiting.clear()
        self._attempts.clear()

    def _due(self, target: Target) -> float:
        """When the waiting write of an object may begin."""
        if target in self._running:
            return inf
        last = self._attempts.get(target)
        is_same = last is not None and last.write == self._waiting[target]
        return last.may_repeat_at if last and is_same else -inf


def in_order(
    deletes: Mapping[str, str],
    gives: Mapping[str, ObjectWrite],
    statuses: Mapping[str, ObjectWrite],
) -> dict[Target, ObjectWrite]:
    """All writes: what frees an address first, then what publishes one, and then what gives one.

    So no Service waits until all others have a DuraVIP. What merely tells something comes last.
    `deletes` are uids, all by `namespace/name`.
    """
    found: dict[Target, ObjectWrite] = {
        ("DuraVIP", key): ObjectWrite("delete", {}, uid) for key, uid in deletes.items()
    }
    told: dict[Target, ObjectWrite] = {("Service", k): w for k, w in statuses.items()}
    found |= {t: w for t, w in told.items() if "loadBalancer" in w.body.get("status", ())}
    found |= {("DuraVIP", key): write for key, write in gives.items()}
    return found | told  # what is in it already keeps its place
