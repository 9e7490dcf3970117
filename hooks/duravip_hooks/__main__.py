"""`duravip-hooks`: follows the agent's local API, and notifies hooks of what comes and goes.

Two threads: one follows the agent, for ever; the main one runs the hooks. Between them is a queue:
whatever has come while a hook ran is taken up as a whole before the next one.

Exit codes: 0 asked to stop; 2 wrong settings; 1 anything else.
"""

import logging
import os
import signal
import sys
import time
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from duravip_hooks.core.pending_events import EventKind, PendingEvents
from duravip_hooks.process import StopRequest
from duravip_hooks.runner import FolderError, HookRunner
from duravip_hooks.settings import Settings, settings_from
from duravip_runtime.local_api import ServedSnapshot
from duravip_runtime.local_client import LocalClient, Unreachable, Update, follow
from duravip_runtime.local_endpoint import parse_local_endpoint
from duravip_runtime.program import begin_logging, run_program
from duravip_runtime.settings import PROGRAM_VERSION

log = logging.getLogger(__name__)

News = SimpleQueue[Update | Unreachable | None]
"""From the thread that follows the agent; None: something else has happened."""


def main() -> None:
    """Run the program, and end with its exit code."""

    def work() -> int:
        settings = settings_from(sys.argv[1:])
        begin_logging(settings)
        run(settings)
        return 0

    run_program("duravip-hooks", work, (FolderError,))


def run(settings: Settings) -> None:
    """Run until asked to stop; raises FolderError where there is no folder to begin with."""
    stop, news = StopRequest(), News()
    runner = HookRunner(settings.dir, settings.hook_timeout, stop)
    hooks = runner.files().hooks

    def on_signal(*_: object) -> None:
        stop.request()
        news.put(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    log.info("%s starts with the hooks %s", PROGRAM_VERSION, ", ".join(hooks) or "of nobody yet")
    Thread(
        target=_follow, args=(LocalClient(parse_local_endpoint(settings.agent)), news), daemon=True
    ).start()
    Hooks(runner, news).run(stop)
    log.info("ended")


def _follow(client: LocalClient, news: News) -> None:
    try:
        for update in follow(client):
            news.put(update)
    except Exception:  # a bug: no hook would run any more, without a word
        log.exception("duravip-hooks ends")
        os._exit(1)


class Hooks:
    """Takes up what the agent says, and has hooks notified."""

    def __init__(self, runner: HookRunner, news: News) -> None:
        self._runner, self._news = runner, news
        self._pending = PendingEvents()
        self._now: ServedSnapshot | None = None
        self._is_reached = True
        """Whether the agent was reached last; taken for granted, so that else a line says it."""

    def run(self, stop: StopRequest) -> None:
        """Notify hooks of what is due, until asked to stop."""
        while not stop.is_requested:
            self._receive(self._pending.wait_s(time.monotonic()))
            if not stop.is_requested:
                self._notify_next()

    def _receive(self, wait_s: float | None) -> None:
        """Wait for news for so long, and take up all that there are."""
        try:
            self._take_up(self._news.get(timeout=wait_s) if wait_s != 0 else None)
            while True:
                self._take_up(self._news.get_nowait())
        except Empty:
            return

    def _take_up(self, update: Update | Unreachable | None) -> None:
        if isinstance(update, Unreachable):
            if self._is_reached:
                log.warning("%s; what it said last counts until it answers", update.reason)
            self._is_reached = False
        elif update is not None:
            if not self._is_reached or self._now is None:
                log.info("the agent of %s answers", update.now.node)
            is_first, self._now, self._is_reached = self._now is None, update.now, True
            if is_first or not update.change.is_empty:
                served = update.now.served.items()
                self._pending.change({address: entry.interface for address, entry in served})

    def _notify_next(self) -> None:
        event = self._pending.next(time.monotonic())
        if event is None or self._now is None:
            return
        variables = {"DURAVIP_NODE": self._now.node, "DURAVIP_REVISION": str(self._now.revision)}
        notify = partial(self._runner.notify, event, variables=variables)
        if event.kind is not EventKind.SETTLED:
            notify(stdin="")
            return
        failed = notify(stdin="".join(f"{address}\n" for address in self._pending.served))
        self._pending.settled(failed, time.monotonic())


if __name__ == "__main__":
    main()
