"""How long a request to the API server may take: as long as it takes there at this time.

A time-out that is fixed calls a slow server dead: every request is given up just before its answer
would have come, and tried again, which makes it no faster.
"""

from typing import Final

SLOWER: Final = 3.0
"""A request may take so many times as long as lately one did."""

FORGETS: Final = 0.9
"""With each answer, an earlier slow one counts for so much less."""


class Patience:
    """For one sort of requests. Any thread may use it: at worst it forgets one answer."""

    def __init__(self, shortest: float, longest: float) -> None:
        """`shortest` is what a server that is well needs at most; both in seconds."""
        self._shortest, self._longest = shortest, longest
        self._lately = 0.0
        self._least = shortest

    @property
    def lately(self) -> float:
        """What a slow request has taken lately, in seconds."""
        return self._lately

    @property
    def timeout(self) -> float:
        """What the next request may take, in seconds."""
        wanted = max(self._shortest, self._least, SLOWER * self._lately)
        return min(self._longest, wanted)

    def answered(self, took: float) -> None:
        """A request was answered, whatever the answer was."""
        self._lately = max(took, FORGETS * self._lately)
        self._least = self._shortest

    def unanswered(self, took: float) -> None:
        """One was not: if it has waited for all that time, the next one may wait for longer."""
        if took >= FORGETS * self.timeout:
            self._least = min(self._longest, 2 * self.timeout)
