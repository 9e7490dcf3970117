"""Events of the loop. Each is only a reason to look at the world again."""

from dataclasses import dataclass
from queue import SimpleQueue

from duravip_agent.clock import BootTime
from duravip_agent.core.address_conflicts import Claim
from duravip_agent.core.probing import ProbeResult
from duravip_runtime.api_error import ApiError, Body


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """The node's object looks like this."""

    body: Body
    requested_at: BootTime | None = None
    """When it was asked for; None = it came by a watch."""


@dataclass(frozen=True, slots=True)
class StatusWritten:
    """A report was written, and this is the whole object at that moment."""

    body: Body
    begun_at: BootTime
    """When the request was begun."""


@dataclass(frozen=True, slots=True)
class ObjectAbsent:
    """The node has no object."""


@dataclass(frozen=True, slots=True)
class ApiTrouble:
    """The API server refused a request, or did not answer."""

    error: ApiError


@dataclass(frozen=True, slots=True)
class KernelChanged:
    """An address changed, or a link."""

    with_links: bool


@dataclass(frozen=True, slots=True)
class ReadinessChanged:
    """Other checks of the node pass than before, or other programs listen."""

    moves_addresses: bool = True
    """Whether an address may move because of it: then it is reported at once."""


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A leader was heard again, or says something new; or the watchdog was late."""


@dataclass(frozen=True, slots=True)
class SegmentProbed:
    """A segment was probed for contested addresses."""

    generation: int
    """Of the spec that contested them."""
    result: ProbeResult
    at: BootTime
    """When it was over."""


@dataclass(frozen=True, slots=True)
class AddressesClaimed:
    """Others say that they have addresses of ours."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class AccessDenied:
    """The API server has not known us for so long that it never will again."""

    sentence: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The agent is asked to stop."""


Event = (
    ObjectSeen
    | StatusWritten
    | ObjectAbsent
    | ApiTrouble
    | AccessDenied
    | KernelChanged
    | ReadinessChanged
    | ContactChanged
    | SegmentProbed
    | AddressesClaimed
    | StopRequested
)
Inbox = SimpleQueue[Event]
