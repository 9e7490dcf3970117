"""For how long to wait before a refused request is tried again."""

from duravip_api.timing import REQUEST_RETRIES

LONGEST_PAUSE = 2.0
HOPELESS_PAUSE = 30.0
"""For a request that cannot succeed as it is, such as one that is too large."""


def pause_after(failures: int, asked_for: float = 0.0) -> float:
    """Seconds after so many failures in a row; the server may ask for more."""
    if failures <= len(REQUEST_RETRIES):
        return max(REQUEST_RETRIES[max(failures, 1) - 1], asked_for)
    doublings = min(failures - len(REQUEST_RETRIES), 10)
    return max(min(REQUEST_RETRIES[-1] * 2.0**doublings, LONGEST_PAUSE), asked_for)
