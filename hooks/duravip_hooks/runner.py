"""Notifies all hooks of one event: reads the folder, runs them in order, logs what came of it."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from duravip_hooks.core.hook_files import FolderEntry, HookFiles, hook_files, is_writable_by_all
from duravip_hooks.core.pending_events import EventKind, HookEvent
from duravip_hooks.process import HookResult, StopRequest, run_hook

log = logging.getLogger(__name__)

UNREADABLE = "the folder"
"""In place of a hook's name: the folder cannot be read, so that no hook could run."""


class FolderError(Exception):
    """The folder cannot be used; the message says why."""


class HookRunner:
    """Runs the hooks of one folder, one at a time."""

    def __init__(self, folder: Path, timeout: float, stop: StopRequest) -> None:
        self._folder, self._timeout, self._stop = folder, timeout, stop
        self._ignored: Mapping[str, str] = {}
        """What was logged about the folder last."""

    def files(self) -> HookFiles:
        """The hooks, as the folder is now; raises FolderError."""
        try:
            if is_writable_by_all(self._folder.stat().st_mode):
                raise FolderError(f"no hook of {self._folder} runs: everybody may write to it")
            found = hook_files(self._entries())
        except OSError as error:
            raise FolderError(
                f"cannot read the folder {self._folder}: {error.strerror}"
            ) from error
        if found.ignored != self._ignored:
            self._ignored = found.ignored
            for name, why in found.ignored.items():
                log.warning("%s is ignored: %s", self._folder / name, why)
        return found

    def notify(self, event: HookEvent, stdin: str, variables: Mapping[str, str]) -> frozenset[str]:
        """Run every hook, or those that the event names; gives back which of them have failed.

        `stdin` is what they read; `variables` are added to their environment.
        """
        try:
            hooks = self.files().hooks
        except FolderError as error:
            log.error("%s", error)  # noqa: TRY400 - it says what is wrong
            return frozenset({UNREADABLE})
        if event.only and UNREADABLE not in event.only:
            hooks = tuple(hook for hook in hooks if hook in event.only)
        failed = frozenset(
            hook
            for hook in hooks
            if not self._stop.is_requested and self._run(hook, event, stdin, variables).problem
        )
        subject = f"{event.kind} {event.address} {event.interface}".rstrip()
        log.info("%s: %d hooks notified, %d failed", subject, len(hooks), len(failed))
        return failed

    def _run(
        self, hook: str, event: HookEvent, stdin: str, variables: Mapping[str, str]
    ) -> HookResult:
        arguments = [str(event.kind)]
        if event.kind is not EventKind.SETTLED:
            arguments += [event.address, event.interface]
        result = run_hook(
            [str(self._folder.absolute() / hook), *arguments],
            stdin,
            {**os.environ, **variables},
            self._timeout,
            self._stop,
        )
        said = " ".join([hook, *arguments])
        for line in result.output.splitlines():
            log.info("%s: %s", said, line)
        if result.problem:
            log.warning("%s: %s", said, result.problem)
        else:
            log.debug("%s: done in %.3f s", said, result.seconds)
        return result

    def _entries(self) -> Iterator[FolderEntry]:
        for entry in os.scandir(self._folder):
            try:
                yield FolderEntry(entry.name, entry.stat().st_mode)
            except FileNotFoundError:  # it has gone meanwhile, or is a link to nowhere
                yield FolderEntry(entry.name, 0)
