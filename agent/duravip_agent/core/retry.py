"""Retries with back-off: when an address may be added again.

A try is anything that adds the address, be it refused by the kernel or undone by another program.
A program that deletes an address time and again gets a few immediate repairs and then ever slower
ones, not a race. An address that has stayed for `LASTING_S` starts anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass

PROMPT_TRIES = 3
"""Tries that follow one another without a pause."""

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 30.0
LASTING_S = 10.0

UNDONE = "the address does not stay: something on the node removes it"


@dataclass(slots=True)
class _Tries:
    tries: int
    last: float
    message: str

    @property
    def due(self) -> float:
        if self.tries < PROMPT_TRIES:
            return self.last
        pause = FIRST_PAUSE_S * 2.0 ** min(self.tries - PROMPT_TRIES, 20)
        return self.last + min(pause, MAX_PAUSE_S)


class RetrySchedule:
    """What was tried lately, by address. All times are on one clock of the caller's choice."""

    def __init__(self) -> None:
        self._records: dict[str, _Tries] = {}

    def tried(self, addresses: Iterable[str], now: float) -> None:
        """Each of these has just been added, or refused."""
        for address in addresses:
            record = self._records.get(address)
            if record is None or now - max(record.due, record.last) > LASTING_S:
                self._records[address] = _Tries(1, now, UNDONE)
            else:
                record.tries, record.last, record.message = record.tries + 1, now, UNDONE

    def refused(self, address: str, message: str) -> None:
        """Its last try was refused, with this message: the next one always takes a pause."""
        record = self._records[address]
        record.tries, record.message = max(record.tries, PROMPT_TRIES), message

    def held_back(self, now: float) -> dict[str, str]:
        """Those whose next try is not due yet, each with what went wrong."""
        return {a: record.message for a, record in self._records.items() if record.due > now}

    def next_due(self, now: float) -> float | None:
        """When the next of the addresses that wait may be tried."""
        return min((r.due for r in self._records.values() if r.due > now), default=None)

    def forget(self, keep: Iterable[str], now: float) -> None:
        """Drop whatever is not among `keep`, and what has lasted."""
        wanted = set(keep)
        self._records = {
            address: record
            for address, record in self._records.items()
            if address in wanted and now - record.due <= LASTING_S
        }
