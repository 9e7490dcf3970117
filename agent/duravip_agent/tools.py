"""What a step of the agent works with, and on what occasion it is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from duravip_agent.core.kernel_state import Alias
from duravip_agent.core.node_commands import Requests
from duravip_agent.core.node_health import Health
from duravip_agent.core.spec_tracker import Specs
from duravip_agent.facts import Judge
from duravip_agent.kernel.address_manager import Plumber
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.listening_ports import Listeners
from duravip_agent.kernel.null_fence import Unfenced
from duravip_agent.kernel.released_addresses import Released
from duravip_agent.kernel.watchdog import Lifeline
from duravip_agent.metrics import Metrics
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.conflict_checks import Inquiry


@dataclass(frozen=True)
class Tools:
    """What a step works with."""

    specs: Specs
    fence: Fence | Unfenced
    lifeline: Lifeline
    judge: Judge
    plumber: Plumber
    announcer: Announcer
    inquiry: Inquiry
    metrics: Metrics
    requests: Requests = field(default_factory=Requests)
    released: Released = field(default_factory=Released)
    listeners: Listeners = field(default_factory=Listeners)
    health: Health = field(default_factory=Health)


class Batch(NamedTuple):
    """What is armed together."""

    addresses: frozenset[str]
    aliases: Sequence[Alias] = ()
    """Those that are to be added."""
    by_route: bool = False
    """Whether routes stand in for them at first."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a step is made, and how."""

    now: float
    """By the clock of the announcements."""
    is_dirty: bool
    """Whether the kernel, or the spec, may be other than it was."""
    speak: Callable[[], None]
    """Reports what may be heard."""
    must_yield: Callable[[], bool]
    """Whether something came in that must not wait until thousands of addresses are added."""
    may_delete: bool = True
    """Whether the kernel was looked at just before: nothing else may be deleted."""
