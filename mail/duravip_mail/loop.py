"""The loop: look at everything, write what Postfix needs, have queued mail looked at again.

Each step begins with what is so now. First the configuration, then both tables, and only then the
queue: between two tables that differ a message could travel twice (`tests/simulation`).
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from duravip_mail.bindings import BindingsFile
from duravip_mail.core.audit import BindRefused, event_in
from duravip_mail.core.postfix_config import (
    ACCEPTED,
    ASSIGNED,
    ROUTES,
    MailNode,
    main_cf,
    master_cf,
)
from duravip_mail.core.queue_summary import binding_names, binding_of
from duravip_mail.core.retries import (
    AFTER_GAIN_S,
    AFTER_NEW_NAME_S,
    GRACE_S,
    Arrivals,
    Departures,
    HandOverRetries,
)
from duravip_mail.core.routes import (
    accepted,
    assigned,
    hand_over_route,
    routes,
    transport_of,
)
from duravip_mail.core.staleness import is_stale, routes_in
from duravip_mail.core.world import MailBinding, World
from duravip_mail.maillog import MailLog
from duravip_mail.metrics import Metrics
from duravip_mail.postfix import RUN_TIMEOUT_S, Postfix, PostfixError
from duravip_mail.reach import Reach
from duravip_mail.spool import DEFERRED, QueuedMessage, Spool

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
"""How often the file of the Bindings and Postfix' log are looked at."""
LOOK_EVERY_S: Final = 2.0
"""How often the queue is compared with the tables although nothing has changed."""
HEALTHY_S: Final = RUN_TIMEOUT_S + 30.0
"""A loop that has not come round for so long hangs."""


class Loop:
    """One for a node. `run` returns when `stop` was called."""

    def __init__(
        self,
        *,
        node: MailNode,
        postfix: Postfix,
        bindings: BindingsFile,
        spool: Spool,
        maillog: MailLog,
        reach: Reach,
        metrics: Metrics,
        key: bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node, self._postfix, self._bindings = node, postfix, bindings
        self._spool, self._maillog, self._reach = spool, maillog, reach
        self._metrics, self._key, self._clock = metrics, key, clock
        self._inbox: SimpleQueue[tuple[frozenset[str], frozenset[str]] | None] = SimpleQueue()
        self._served: frozenset[str] | None = None
        self._came: frozenset[str] = frozenset()
        """Addresses that have come since the last look at the queue."""
        self._world: World | None = None
        """What the tables were last written from."""
        self._retries, self._gained = HandOverRetries(), Arrivals(AFTER_GAIN_S)
        self._departures = Departures()
        self._new_names = Arrivals(AFTER_NEW_NAME_S, first_counts=True)
        self._look_due = self._stepped = self._clock()
        self._problem = "the agent has not been heard yet"
        self._is_connected = False
        self._counted: set[tuple[str, str]] = set()

    def put_served(self, addresses: frozenset[str], came: frozenset[str]) -> None:
        """The agent says that these are all that is served, and which came. From any thread."""
        self._inbox.put((addresses, came))

    def put_connected(self, is_connected: bool) -> None:  # noqa: FBT001 - a callback
        """Whether the agent can be followed. From any thread."""
        self._is_connected = is_connected
        self._metrics.agent_connected.set(is_connected)

    def stop(self) -> None:
        """Have `run` return soon. From any thread, and from a signal handler."""
        self._inbox.put(None)

    def current_world(self) -> World:
        """What the tables say: an assignment may name nothing else. From any thread."""
        return self._world or World()

    def healthz(self) -> str:
        """What is wrong with the loop itself; empty: nothing."""
        silent = self._clock() - self._stepped
        return f"the loop has not come round for {silent:.0f} s" if silent > HEALTHY_S else ""

    def readyz(self) -> str:
        """Why the tables may not be true; empty: they are."""
        if self._problem:
            return self._problem
        return "" if self._is_connected else "the agent cannot be followed"

    def run(self) -> None:
        """Until it is stopped."""
        while self.turn(TICK_S):
            pass

    def turn(self, wait_s: float) -> bool:
        """Wait for news, for so long at most, and do what follows; False: it is to end."""
        if not self._has_heard(wait_s):
            return False
        self._read_log()
        self._step()
        self._stepped = self._clock()
        return True

    def _has_heard(self, wait_s: float) -> bool:
        """False: it is to end."""
        try:
            news = self._inbox.get(timeout=wait_s)
            while news is not None:
                self._served = news[0]
                self._came |= news[1]
                news = self._inbox.get_nowait()
        except Empty:
            return True
        return False

    def _step(self) -> None:
        served = self._served
        if served is None:
            return  # what is there is what was last known: nothing is better
        world, now = World(self._bindings.read(), served), self._clock()
        if world == self._world and now < self._look_due and not self._came:
            return
        self._look_due = now + LOOK_EVERY_S
        try:
            self._write(world)
            self._look(world, now)
            self._metrics.table_age.set_function(lambda: self._clock() - now)
            if self._problem:
                log.info("the tables are true: %d addresses here", len(served))
            self._problem = ""
        except (PostfixError, OSError) as error:
            if str(error) != self._problem:
                log.warning("trying again: %s", error)
            self._problem = str(error)

    def _write(self, world: World) -> None:
        """No route to a transport that is not there yet; the assignment last."""
        is_new = self._postfix.write_config("main.cf", main_cf(self._node))
        is_new |= self._postfix.write_config("master.cf", master_cf(self._node, world.bindings))
        if is_new:
            self._postfix.reload()
        self._postfix.write_table(ACCEPTED, accepted(world))
        self._postfix.write_table(ROUTES, routes(world))
        earlier = self._postfix.rows_of(ASSIGNED)
        self._postfix.write_table(ASSIGNED, assigned(world, self._key, earlier))
        self._world = world

    def _look(self, world: World, now: float) -> None:
        """Have messages looked at whose route is not true, and those tried that may go now."""
        messages = self._spool.messages()
        self._count(messages, world)
        waiting = [message for message in messages if message.queue == DEFERRED]
        current = routes_in(routes(world))
        names = frozenset(world.by_name())
        has_new_names = bool(self._new_names.due(names, now))
        untrue = {
            m.route for m in waiting if is_stale(m.route, current, has_new_names=has_new_names)
        }
        left = {f"{transport_of(b)}:" for b in world.bindings if not world.is_here(b)}
        due = self._departures.due(untrue & left, now) | (untrue - left)
        if untrue - due:
            self._look_due = now + GRACE_S
        stale = [m.queue_id for m in waiting if m.route in due]
        self._retry(world, waiting, now)
        if stale:
            self._postfix.requeue(stale)
            self._metrics.requeued.labels("stale").inc(len(stale))
            log.info("looked at again: %d messages whose route was not true any more", len(stale))

    def _retry(self, world: World, waiting: list[QueuedMessage], now: float) -> None:
        gained = self._gained.due(world.served, now, self._came)
        self._came = frozenset()
        if gained:
            self._postfix.forget_failures()
        come = {f"{transport_of(b)}:" for b in world.bindings if b.address in gained}
        kept = {message.route for message in waiting}
        away = {
            route: b.address
            for b in world.bindings
            if not world.is_here(b) and (route := hand_over_route(b.address)) in kept
        }
        answering = self._reach.answering(away.values())
        doors = self._retries.due({r for r, a in away.items() if a in answering}, now)
        for reason, wanted in (("gained", come), ("answering", doors)):
            again = [message for message in waiting if message.route in wanted]
            if again:
                self._postfix.retry(again)
                self._metrics.requeued.labels(reason).inc(len(again))

    def _count(self, messages: list[QueuedMessage], world: World) -> None:
        names = binding_names(world.bindings)
        counts = Counter(
            (names.get(m.route) or binding_of(m.route, ()), m.queue) for m in messages
        )
        for labels in self._counted - counts.keys():
            self._metrics.queued.remove(*labels)
        for labels, count in counts.items():
            self._metrics.queued.labels(*labels).set(count)
        self._counted = set(counts)

    def _read_log(self) -> None:
        try:
            for line in self._maillog.lines():
                self._note(line)
            if self._maillog.set_aside():
                self._postfix.reload()
        except (OSError, PostfixError) as error:
            log.warning("cannot follow the log of Postfix: %s", error)

    def _note(self, line: str) -> None:
        event = event_in(line)
        if isinstance(event, BindRefused):
            self._metrics.bind_refused.labels(event.binding).inc()
        elif event and event.is_move:
            names = (b.name for b in self.current_world().bindings if b.address == event.address)
            self._metrics.mmove.labels("out", next(names, ""), event.status).inc()
            if event.status == "sent":
                self._retries.note_taken(hand_over_route(event.address))
                self._metrics.mmove_seconds.observe(event.delay_s)
        elif event:
            self._metrics.delivered.labels(event.binding, event.status).inc()


def configure(
    postfix: Postfix, node: MailNode, bindings: tuple[MailBinding, ...], key: bytes
) -> None:
    """Make all that Postfix needs to start; raises PostfixError.

    Tables that are there stay: they are what was last known. `postfix check` would take half a
    minute for a thousand Bindings: it sees the configuration without them.
    """
    postfix.prepare()
    postfix.write_config("main.cf", main_cf(node))
    postfix.write_config("master.cf", master_cf(node, ()))
    postfix.check()
    postfix.write_config("master.cf", master_cf(node, bindings))
    world = World(bindings)
    for name, table in (
        (ACCEPTED, accepted(world)),
        (ROUTES, routes(world)),
        (ASSIGNED, assigned(world, key, ())),
    ):
        if not postfix.has_table(name):
            postfix.write_table(name, table)
