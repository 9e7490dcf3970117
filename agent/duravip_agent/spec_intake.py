"""Takes up the node's object: what is granted, and what holds while the API server is silent."""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from duravip_agent import clock
from duravip_agent.clock import BootTime, Monotonic
from duravip_agent.command_runner import CommandRunner
from duravip_agent.control.status_writer import StatusWriter
from duravip_agent.core.node_commands import NodeCommands
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.status_publisher import StatusPublisher
from duravip_runtime.api_error import ApiError, Body

log = logging.getLogger(__name__)

DENIED_LOG_INTERVAL_S = 60.0
"""Seconds between two lines of log about an API server that does not know us."""

START_TIMEOUT_S = 2.0
"""How long what an earlier run has left stays, mute, while the grant cannot be read; then it
is removed."""

NOTHING_GRANTED: Mapping[str, Placement] = MappingProxyType({})


class PermissionDeniedError(Exception):
    """The API server does not let the agent do its work."""


class SpecIntake:
    """Takes up what the loop learns of the object.

    Each `on_` method says whether there is something to reconcile. For the loop's thread.
    """

    def __init__(
        self,
        specs: SpecTracker,
        facts: FactCollector,
        fence: Fence | NullFence,
        commands: NodeCommands,
        *,
        writer: StatusWriter,
        publisher: StatusPublisher,
        command_runner: CommandRunner,
        watch_again: Callable[[], None],
    ) -> None:
        """`watch_again` watches the object anew, from the state that the API server has now."""
        self._specs, self._facts, self._fence = specs, facts, fence
        self._commands, self._command_runner = commands, command_runner
        self._writer, self._publisher, self._watch_again = writer, publisher, watch_again
        self._started_at = clock.monotonic()
        self._denied_since: Monotonic | None = None
        self._denial_logged_at = Monotonic(float("-inf"))
        self.wanted: Mapping[str, Placement] | None = None
        """None = not known yet: nothing is added, nothing removed."""

    def on_object(self, body: Body, requested_at: BootTime | None = None) -> bool:
        """The object looks like this; `requested_at` is None where a watch has brought it."""
        is_new = self._take_up(body, requested_at)
        self._writer.observe(body)
        return self._command_runner.run_new(body) or is_new

    def on_status_written(self, body: Body, begun_at: BootTime) -> bool:
        """A report was stored, and the object was like this then."""
        self._denied_since = None
        if self._detect_rollback(body, begun_at) or not self._is_of_this_boot(body):
            return False
        if not self._specs.is_first_report_stored:
            self._specs.first_report_stored(body, clock.now())
            self._publisher.first_report_stored()
        is_new = self._take_up(body)
        return self._command_runner.run_new(body) or is_new

    def held_back(self, body: Body) -> None:
        """The object looks like this, but must not be acted on yet."""
        self._writer.observe(body)  # which waits for an object to be there

    def is_newer(self, body: Body) -> bool:
        """Whether this is a newer spec than the one that is in force."""
        return self._specs.is_newer(body)

    def on_contact_changed(self) -> bool:
        """A leader has acknowledged something else."""
        self._publisher.publish_if_staleness_changed()
        return self._confirm()

    def on_object_absent(self) -> bool:
        """There is no object: what is served stays, since the new one will grant it as well."""
        if self.wanted is None:
            log.warning("this node has no NodePlumbing yet: nothing is granted")
            self.wanted = NOTHING_GRANTED
            return True
        if self._specs.object_deleted():
            log.warning("this node's NodePlumbing was deleted: everything stays until it is back")
            self._publisher.publish(self.wanted)  # which a new object then shows first
        return False

    def on_api_error(self, error: ApiError) -> None:
        """The API server refuses a request.

        Raises PermissionDeniedError when it does so for too long at the start.
        """
        if error.is_forbidden and not self._specs.is_first_report_stored:
            self._denied_since = self._denied_since or clock.monotonic()
            if clock.monotonic() - self._denied_since > START_TIMEOUT_S:
                raise PermissionDeniedError(
                    f"no permission to read and report on the NodePlumbing: {error}"
                )

    def on_access_denied(self, sentence: str, *, is_out_of_contact: bool) -> None:
        """The API server has not known us for long.

        Raises PermissionDeniedError if others can take over. A leader that acknowledges
        heartbeats gets in where we do not: it is for us to go. Without one (`is_out_of_contact`)
        it may be that nobody gets in, and what all nodes hold would be gone.
        """
        if not is_out_of_contact:
            raise PermissionDeniedError(sentence)
        if clock.monotonic() - self._denial_logged_at >= DENIED_LOG_INTERVAL_S:
            self._denial_logged_at = clock.monotonic()
            log.error(
                "%s; what is held stays, since no leader is heard that could move it", sentence
            )

    def start_timed_out(self) -> bool:
        """Whether what an earlier run has left must go, since nobody confirms it."""
        if self.wanted is not None or clock.monotonic() - self._started_at <= START_TIMEOUT_S:
            return False
        log.warning("cannot learn what this node is granted: what was left here is removed")
        self.wanted = NOTHING_GRANTED
        return True

    def _is_of_this_boot(self, body: Body) -> bool:
        """Whether it answers a report under this boot, where there was another one before."""
        agent = (body.get("status") or {}).get("agent") or {}
        return not self._specs.is_rolled_back or agent.get("boot") == self._publisher.boot

    def _detect_rollback(self, body: Body, requested_at: BootTime | None) -> bool:
        """Begin anew if the object shows that the store has gone back."""
        if not self._specs.detect_rollback(body, requested_at):
            return False
        log.warning(
            "the API server's store has gone back to an earlier state: what is held stays until "
            "a leader acknowledges what is granted there"
        )
        self._commands.forget()
        self._facts.forget_probes()
        self._watch_again()
        self._publisher.change_boot(self.wanted or NOTHING_GRANTED)
        return True

    def _take_up(self, body: Body, requested_at: BootTime | None = None) -> bool:
        """Act on the object from now on, if it may be acted on and says something new."""
        if self._detect_rollback(body, requested_at):
            return False
        is_new = self._specs.accept(body, clock.now(), requested_at)
        if not is_new and self._specs.is_rolled_back:
            self._publisher.update_heartbeat()
            return self._confirm()
        return is_new and self._act()

    def _confirm(self) -> bool:
        """Act on what is in a store that has gone back, once a leader goes by it."""
        is_due = self._specs.confirm(self._facts.contact(), self._fence.active)
        return is_due and self._act()

    def _act(self) -> bool:
        grant = self._specs.in_force
        if self._specs.refusal:
            log.warning("the spec is refused, the one before stays: %s", self._specs.refusal)
        elif grant.failures:
            log.warning("parts of the spec are left out: %s", dict(grant.failures))
        self.wanted = grant.wanted
        self._facts.conflicts.keep_only(frozenset(grant.wanted))
        self._publisher.heartbeat_now()
        return True
