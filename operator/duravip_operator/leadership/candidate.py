"""A replica that runs for leadership: the rule in `rule`, applied to what it reads and writes.

Its requests may fail, be answered late, or be carried out without being answered: a Lease that
carries the time of one of our own writes is ours, held since that write *began*.
"""

from collections.abc import Callable
from typing import Protocol

from duravip_operator.cluster.requests import ApiError
from duravip_operator.leadership import rule
from duravip_runtime.request_timeout import FORGETS


class Store(Protocol):
    """Where the Lease is. Both raise ApiError."""

    def load(self) -> rule.Record:
        """The Lease as it is; with an empty version when there is none."""

    def save(self, wanted: rule.Record) -> rule.Record:
        """Make it, or replace exactly the version that `wanted` has."""


class Candidate:
    """One round after another; `clock` is a steady clock, `stamp` a time that is never twice."""

    def __init__(
        self,
        me: str,
        store: Store,
        clock: Callable[[], float],
        stamp: Callable[[], str],
        on_restoration: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_restoration` is called when the store was found to have gone back."""
        self._on_restoration = on_restoration
        self._must_abandon = False
        self._me = me
        self._store = store
        self._clock = clock
        self._stamp = stamp
        self._view: rule.View | None = None
        self._mine: rule.Record | None = None
        self._reign: rule.Reign | None = None
        self._attempts: dict[str, float] = {}
        """`{renewTime: when it began}` of our writes since the last that was answered."""
        self._highest = 0
        self._took = 0.0
        """What a slow request has taken lately, in seconds."""

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not. From any thread."""
        reign = None if self._must_abandon else self._reign
        return reign.epoch if reign and self._clock() < reign.until else None

    def abandon(self) -> None:
        """Lead no more, at once, until the Lease was taken anew. From any thread."""
        self._must_abandon = True

    @property
    def is_led(self) -> bool:
        """Whether another one leads, as far as is known. From any thread."""
        view = self._view
        return view is not None and not rule.is_free(view, self._clock())

    @property
    def took(self) -> float:
        """What a slow request has taken lately, in seconds."""
        return self._took

    @property
    def until(self) -> float:
        """When that ends if the Lease is not renewed, by the clock. From any thread."""
        reign = self._reign
        return reign.until if reign else self._clock()

    def round(self, floor: int | None) -> None:
        """Renew the Lease, or take it when it is free; raises ApiError.

        `floor` is the highest epoch that is known elsewhere; None: this replica may not take it.
        """
        if self._must_abandon:
            self._mine, self._reign, self._view = None, None, None
            self._attempts.clear()
            self._must_abandon = False
        newest = self._mine or (self._view.record if self._view else None)
        if self._mine and self._write(self._renewed(self._mine, floor)):
            return
        self._mine = None
        found = self._read()
        if rule.has_gone_back(newest, found):
            self._on_restoration()
        if found.holder == self._me and found.renewed in self._attempts:
            self._hold(found, self._attempts[found.renewed])
            return
        self._reign = None
        self._view = rule.viewed(self._view, found, self._clock())
        self._highest = max(self._highest, found.epoch)
        if floor is not None and rule.is_free(self._view, self._clock()):
            highest = max(floor, self._highest)
            lasts = rule.lasting(self._took)
            self._write(rule.taken(found, self._me, self._stamp(), highest, lasts))

    def resign(self) -> bool:
        """Give the Lease back if it is ours; raises ApiError. No round may follow."""
        self._reign = None
        if self._mine is None:
            return False
        self._store.save(rule.released(self._mine, self._stamp()))
        return True

    def _renewed(self, mine: rule.Record, floor: int | None) -> rule.Record:
        return rule.renewed(mine, self._stamp(), floor or 0, rule.lasting(self._took))

    def _read(self) -> rule.Record:
        started = self._clock()
        try:
            return self._store.load()
        except ApiError:
            self._reign = None  # somebody has written, and we cannot see whether it was us
            raise
        finally:
            self._note(started)

    def _note(self, started: float) -> None:
        self._took = max(self._clock() - started, FORGETS * self._took)

    def _write(self, wanted: rule.Record) -> bool:
        """Write the Lease; False when somebody else wrote first."""
        started = self._attempts[wanted.renewed] = self._clock()
        try:
            written = self._store.save(wanted)
        except ApiError as error:
            if error.is_conflict or error.is_absent:
                return False
            raise
        finally:
            self._note(started)
        self._hold(written, started)
        return True

    def _hold(self, written: rule.Record, started: float) -> None:
        self._mine = written
        self._attempts.clear()
        self._highest = max(self._highest, written.epoch)
        self._reign = rule.reign(written, started)
