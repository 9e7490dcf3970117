"""How the agent ends: others take what it serves, it falls silent, says so, removes everything.

Asked to stop, it serves on and says that it is leaving, so that its addresses move as in a drain
and clients notice no more than that. Where nobody listens there is nothing to wait for.
"""

import logging
import time

from duravip_agent.control.status_writer import Reporter
from duravip_agent.reconciler import Handover
from duravip_agent.spec_intake import NOTHING, Intake
from duravip_agent.status_publisher import Voice
from duravip_agent.tools import Tools
from duravip_api.reasons import Reason

log = logging.getLogger(__name__)

LEAVE_WITHIN = 0.8
"""Others have so long, in seconds, to take over what is served here."""

LEADER_WITHIN = 3.0
"""After a leader was heard another one may follow within so many seconds: both may be replaced at
once, as an upgrade does."""

CONNECTIONS_WITHIN = 0.3
"""So long, in seconds, the end waits for the connections of released addresses to be ended."""

LAST_WORDS = 1.6
"""The last report may take this long after the agent was asked to stop."""


class Farewell:
    """For the loop's thread."""

    def __init__(
        self, tools: Tools, handover: Handover, intake: Intake, voice: Voice, reporter: Reporter
    ) -> None:
        self._tools, self._handover, self._intake = tools, handover, intake
        self._voice, self._reporter = voice, reporter
        self._asked: float | None = None
        self._patience = LEAVE_WITHIN

    def ask(self) -> None:
        """Somebody asks the agent to stop; whoever asks twice does not want to wait."""
        if self._asked is not None:
            self._patience = 0.0
            return
        self._asked = time.monotonic()
        if self._handover.served:
            self._voice.end(Reason.AGENT_STOPPING, self._intake.wanted or NOTHING)

    def is_due(self) -> bool:
        """Whether nothing is left to hand over, or nobody to take it."""
        if self._asked is None:
            return False
        is_late = time.monotonic() - self._asked >= self._patience
        is_alone = not self._voice.is_heard(LEADER_WITHIN)
        return is_late or not self._tools.plumber.present or is_alone

    def say(self) -> None:
        """Fall silent, say so, and remove everything: in this order where there is a fence."""
        tools = self._tools
        self._handover.silence_all()
        if self._asked is not None and not self._handover.served:
            self._voice.end(Reason.AGENT_STOPPED, NOTHING)
        tools.plumber.withdraw()
        if tools.plumber.observed.marked:  # the fence is needed as long as anything is left
            raise RuntimeError("some addresses could not be removed")
        tools.fence.drop()
        tools.released.close(CONNECTIONS_WITHIN)
        if self._asked is None:
            return
        self._voice.end(Reason.AGENT_STOPPED, NOTHING)
        if not self._reporter.wait_until_written(self._asked + LAST_WORDS):
            log.warning("ended without a last report: the API server does not answer")
