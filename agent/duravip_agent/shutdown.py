"""A graceful shutdown: others take over what the agent serves, then it removes everything.

Asked to stop, it serves on and reports that it is stopping, so that its addresses move as in a
drain and clients notice no more than that. Where no leader hears it there is nothing to wait for.
"""

import logging

from duravip_agent import clock
from duravip_agent.clock import Monotonic
from duravip_agent.control.status_writer import StatusWriter
from duravip_agent.kernel.address_manager import AddressManager
from duravip_agent.kernel.released_addresses import ReleasedAddresses
from duravip_agent.reconciler import Reconciler
from duravip_agent.spec_intake import NOTHING_GRANTED, SpecIntake
from duravip_agent.status_publisher import StatusPublisher
from duravip_api.reasons import Reason

log = logging.getLogger(__name__)

TAKEOVER_TIMEOUT_S = 0.8
"""How long others have to take over what is served here."""

NEXT_LEADER_TIMEOUT_S = 3.0
"""How long after the last acknowledgement another leader may follow: an upgrade may replace agents
and leader at once."""

CONNECTIONS_TIMEOUT_S = 0.3
"""How long the end waits for the connections of released addresses to be ended."""

FINAL_REPORT_S = 1.6
"""The last report may take this long after the agent was asked to stop."""


class Shutdown:
    """For the loop's thread."""

    def __init__(
        self,
        reconciler: Reconciler,
        addresses: AddressManager,
        released: ReleasedAddresses,
        intake: SpecIntake,
        publisher: StatusPublisher,
        writer: StatusWriter,
    ) -> None:
        self._reconciler, self._addresses, self._released = reconciler, addresses, released
        self._intake, self._publisher, self._writer = intake, publisher, writer
        self._requested_at: Monotonic | None = None
        self._timeout = TAKEOVER_TIMEOUT_S

    def request(self) -> None:
        """The agent is asked to stop; a second request means that nothing is waited for."""
        if self._requested_at is not None:
            self._timeout = 0.0
            return
        self._requested_at = clock.monotonic()
        if self._reconciler.served:
            wanted = self._intake.wanted or NOTHING_GRANTED
            self._publisher.announce_stop(Reason.AGENT_STOPPING, wanted)

    def is_ready(self) -> bool:
        """Whether nothing is left to hand over, or no leader hears that it should be."""
        if self._requested_at is None:
            return False
        is_late = clock.monotonic() - self._requested_at >= self._timeout
        is_unheard = not self._publisher.is_acknowledged(NEXT_LEADER_TIMEOUT_S)
        return is_late or not self._addresses.present or is_unheard

    def run(self) -> None:
        """Mute everything, report that, and remove it: in this order where there is a fence."""
        self._reconciler.mute_all()
        if self._requested_at is not None and not self._reconciler.served:
            self._publisher.announce_stop(Reason.AGENT_STOPPED, NOTHING_GRANTED)
        self._publisher.withdraw_locally()
        self._addresses.remove_all()
        if self._addresses.observed.marked:  # the fence is needed as long as anything is left
            raise RuntimeError("some addresses could not be removed")
        self._reconciler.fence.remove()
        self._released.close(CONNECTIONS_TIMEOUT_S)
        if self._requested_at is None:
            return
        self._publisher.announce_stop(Reason.AGENT_STOPPED, NOTHING_GRANTED)
        if not self._writer.wait_until_written(self._requested_at + FINAL_REPORT_S):
            log.warning("ended without a last report: the API server does not answer")
