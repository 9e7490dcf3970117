"""What goes wrong with a request to the API server."""

from typing import Any

Body = dict[str, Any]
"""An object of the API, as JSON has it."""

_TOO_LARGE = "request is too large"


class ApiError(Exception):
    """A request that was refused or not answered."""

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP's code; 0 = no answer."""
        self.retry_after = retry_after

    @property
    def is_absent(self) -> bool:
        """Whether there is no such object."""
        return self.status == 404  # noqa: PLR2004

    @property
    def is_forbidden(self) -> bool:
        """Whether the agent has not the permission."""
        return self.status == 403  # noqa: PLR2004

    @property
    def is_hopeless(self) -> bool:
        """Whether the same request will be refused every time."""
        return self.status == 413 or _TOO_LARGE in str(self)  # noqa: PLR2004
