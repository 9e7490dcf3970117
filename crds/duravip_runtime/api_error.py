"""What goes wrong with a request to the API server, and the retry policy.

What may succeed later is tried again after 0.05, 0.1, 0.2, 0.4 s and then twice as long each
time, up to 2 s. A Retry-After of the server makes a pause longer, up to 5 s.
"""

from http import HTTPStatus
from typing import Any, Final

from duravip_api.timing import REQUEST_RETRIES

Body = dict[str, Any]
"""An object as the API server has it, in JSON."""

MAX_PAUSE_S: Final = 2.0
MAX_RETRY_AFTER_S: Final = 5.0
HOPELESS_PAUSE_S: Final = 30.0
"""Before a request that cannot succeed as it is, such as one that is too large, is tried again."""

_TOO_LARGE: Final = "request is too large"
_TRANSIENT: Final = frozenset({0, 429, 500, 502, 503, 504})


class ApiError(Exception):
    """A request that was refused or not answered."""

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        """`status` is HTTP's code, 0 if there was no answer; `retry_after` is in seconds."""
        super().__init__(message)
        self.status = status
        self.retry_after = min(retry_after, MAX_RETRY_AFTER_S)
        self.is_stale = False
        """Whether a `test` in a JSON patch found another value than the one given."""
        self.is_absent = status == HTTPStatus.NOT_FOUND
        """Whether there is no such object, or kind."""
        self.is_gone = status == HTTPStatus.GONE
        """Whether a watch has to begin with a new list."""
        self.is_forbidden = status == HTTPStatus.FORBIDDEN
        """Whether the permission is missing."""
        self.is_refused = self.is_forbidden or status == HTTPStatus.UNAUTHORIZED
        """Whether the permission is missing, or the API server does not know who asks."""
        self.is_hopeless = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _TOO_LARGE in message
        """Whether the same request will be refused every time."""
        self.is_transient = status in _TRANSIENT and not self.is_hopeless
        """Whether the same request may succeed later."""

    @property
    def is_conflict(self) -> bool:
        """Whether somebody else wrote first."""
        return self.status == HTTPStatus.CONFLICT or self.is_stale


def pause_after(failures: int, retry_after: float = 0.0) -> float:
    """Seconds to wait after so many failures in a row, at least what the server has asked for."""
    if failures <= len(REQUEST_RETRIES):
        return max(REQUEST_RETRIES[max(failures, 1) - 1], retry_after)
    doublings = min(failures - len(REQUEST_RETRIES), 10)
    return max(min(REQUEST_RETRIES[-1] * 2.0**doublings, MAX_PAUSE_S), retry_after)
