"""What is granted to this node, from what the API server says, and for as long as it is silent."""

import logging
import time
from collections.abc import Mapping
from types import MappingProxyType

from duravip_agent import clock
from duravip_agent.command_runner import Errands
from duravip_agent.control.status_writer import Reporter
from duravip_agent.core.node_spec import Placement
from duravip_agent.status_publisher import Voice
from duravip_agent.tools import Tools
from duravip_runtime.api_error import ApiError, Body

log = logging.getLogger(__name__)

DENIED_SAID_EVERY = 60.0
"""Seconds between two lines of log about an API server that does not know us."""

START_PATIENCE = 2.0
"""What an earlier run has left stays, mute, for so long while the grant cannot be read; then it
is removed."""

NOTHING: Mapping[str, Placement] = MappingProxyType({})


class DeniedError(Exception):
    """The API server does not let the agent do its work."""


class Intake:
    """Takes up what the loop is told of the object. Each method says whether there is news."""

    def __init__(self, tools: Tools, reporter: Reporter, voice: Voice, errands: Errands) -> None:
        self._tools, self._specs, self._judge = tools, tools.specs, tools.judge
        self._reporter, self._voice, self._errands = reporter, voice, errands
        self._began = time.monotonic()
        self._denied_since: float | None = None
        self._denial_said = float("-inf")
        self.wanted: Mapping[str, Placement] | None = None
        """None = not known yet: nothing is added, nothing removed."""

    def seen(self, body: Body, asked: float | None = None) -> bool:
        """The object looks like this; `asked` is when it was asked for, if it was."""
        is_news = self._take_up(body, asked)
        self._reporter.notice(body)
        return self._errands.take(body) or is_news

    def written(self, body: Body, asked: float) -> bool:
        """A report was stored, and the object was like this then."""
        self._denied_since = None
        if self._goes_back(body, asked) or not self._is_of_this_boot(body):
            return False
        if not self._specs.is_introduced:
            self._specs.introduced(body, clock.now())
            self._voice.introduced()
        is_news = self._take_up(body)
        return self._errands.take(body) or is_news

    def contact_changed(self) -> bool:
        """A leader has acknowledged something else."""
        self._voice.speak_if_stale()
        return self._confirm()

    def absent(self) -> bool:
        """There is no object: what is served stays, since the new one will grant it as well."""
        if self.wanted is None:
            log.warning("this node has no NodePlumbing yet: nothing is granted")
            self.wanted = NOTHING
            return True
        if self._specs.lose():
            log.warning("this node's NodePlumbing was deleted: everything stays until it is back")
            self._voice.speak(self.wanted)  # which a new object then shows first
        return False

    def troubled(self, error: ApiError) -> None:
        """The API server refuses; raises DeniedError when it does so for too long at the start."""
        if error.is_forbidden and not self._specs.is_introduced:
            self._denied_since = self._denied_since or time.monotonic()
            if time.monotonic() - self._denied_since > START_PATIENCE:
                raise DeniedError(f"no permission to read and report on the NodePlumbing: {error}")

    def denied(self, sentence: str, *, is_alone: bool) -> None:
        """The API server has not known us for long; raises DeniedError if others can take over.

        A leader that acknowledges beats gets in where we do not: it is for us to go. Without one
        it may be that nobody gets in, and what all nodes hold would be gone: `is_alone`.
        """
        if not is_alone:
            raise DeniedError(sentence)
        if time.monotonic() - self._denial_said >= DENIED_SAID_EVERY:
            self._denial_said = time.monotonic()
            log.error(
                "%s; what is held stays, since no leader is heard that could move it", sentence
            )

    def is_out_of_patience(self) -> bool:
        """Whether what an earlier run has left must go, since nobody confirms it."""
        if self.wanted is not None or time.monotonic() - self._began <= START_PATIENCE:
            return False
        log.warning("cannot learn what this node is granted: what was left here is removed")
        self.wanted = NOTHING
        return True

    def _is_of_this_boot(self, body: Body) -> bool:
        """Whether it is the answer to what is said now, where something else was said before."""
        agent = (body.get("status") or {}).get("agent") or {}
        return not self._specs.has_gone_back or agent.get("boot") == self._voice.boot

    def _goes_back(self, body: Body, asked: float | None) -> bool:
        """Begin anew if the object shows that the store has gone back."""
        if not self._specs.goes_back(body, asked):
            return False
        log.warning(
            "the API server's store has gone back to an earlier state: what is held stays until "
            "a leader acknowledges what is granted there"
        )
        self._tools.requests.begin_anew()
        self._judge.forget_answers()
        self._tools.inquiry.watch_again()
        self._voice.begin_anew(self.wanted or NOTHING)
        return True

    def _take_up(self, body: Body, asked: float | None = None) -> bool:
        """Act on the object from now on, if it may be acted on and says something new."""
        if self._goes_back(body, asked):
            return False
        is_news = self._specs.take(body, clock.now(), asked)
        if not is_news and self._specs.has_gone_back:
            self._voice.beat()
            return self._confirm()
        return is_news and self._act()

    def _confirm(self) -> bool:
        """Act on what is in a store that has gone back, once a leader goes by it."""
        is_due = self._specs.confirm(self._judge.contact(), self._tools.fence.held)
        return is_due and self._act()

    def _act(self) -> bool:
        grant = self._specs.grant
        if self._specs.refusal:
            log.warning("the spec is refused, the one before stays: %s", self._specs.refusal)
        elif grant.failures:
            log.warning("parts of the spec are left out: %s", dict(grant.failures))
        self.wanted = grant.wanted
        self._judge.conflicts.keep_only(frozenset(grant.wanted))
        self._voice.hurry()
        return True
