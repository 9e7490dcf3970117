"""What can happen to the loop. Each is a reason to look at the world again, no more."""

from dataclasses import dataclass
from queue import SimpleQueue

from duravip_agent.core.address_conflicts import Claim
from duravip_agent.core.probing import Findings
from duravip_runtime.api_error import ApiError, Body


@dataclass(frozen=True, slots=True)
class Seen:
    """The node's object looks like this."""

    body: Body
    asked: float | None = None
    """When it was asked for, on the agent's clock; None = a watch has told of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A report was written, and this is the whole object at that moment."""

    body: Body
    asked: float
    """When that was begun, on the agent's clock."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The node has no object."""


@dataclass(frozen=True, slots=True)
class Troubled:
    """The API server refused a request, or did not answer."""

    error: ApiError


@dataclass(frozen=True, slots=True)
class KernelChanged:
    """An address changed, or a link, or who listens."""

    with_links: bool


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A leader was heard again, or says something new; or the dead-man was late."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A segment was asked about contested addresses."""

    generation: int
    """Of the spec that contested them."""
    findings: Findings
    at: float
    """When it was over, on the agent's clock."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Others say that they have addresses of ours."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The API server has not known us for so long that it never will again."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The agent is asked to end."""


Event = (
    Seen
    | Written
    | Absent
    | Troubled
    | Denied
    | KernelChanged
    | ContactChanged
    | Answered
    | Claimed
    | Stop
)
Inbox = SimpleQueue[Event]
