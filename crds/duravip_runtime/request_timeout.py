"""How long a request to the API server may take: an adaptive time-out.

With a fixed one every request to a slow server is given up just before the answer comes, and asked
again, which makes the server no faster. So a request may take three times what one took lately.
"""

from typing import Final

SLACK_FACTOR: Final = 3.0
"""How many times the recent duration a request may take."""

DECAY: Final = 0.9
"""By this factor the memory of a slow answer fades with each later answer."""


class RequestTimeout:
    """The time-out for one sort of requests. Any thread may use it: at worst it misses one answer.

    All times are in seconds.
    """

    def __init__(self, shortest: float, longest: float) -> None:
        """`shortest` is enough for a server that is well."""
        self._shortest, self._longest = shortest, longest
        self._recent = 0.0
        self._least = shortest

    @property
    def recent(self) -> float:
        """What a slow request has taken recently."""
        return self._recent

    @property
    def timeout(self) -> float:
        """What the next request may take."""
        return min(self._longest, max(self._shortest, self._least, SLACK_FACTOR * self._recent))

    def answered(self, took: float) -> None:
        """A request was answered, whatever the answer was."""
        self._recent = max(took, DECAY * self._recent)
        self._least = self._shortest

    def unanswered(self, took: float) -> None:
        """A request was not answered: if it waited for all its time, the next waits for longer."""
        if took >= DECAY * self.timeout:
            self._least = min(self._longest, 2 * self.timeout)
