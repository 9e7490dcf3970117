"""Keeps two machines under one node's name from serving the same (`core/duplicate_node_rule`).

Stands between the API server and the loop: what the loop is told of the object is held back until
it is known that no other machine reports under this name.
"""

import logging
import os
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from duravip_agent import clock
from duravip_agent.control.kube import Cluster
from duravip_agent.core import duplicate_node_rule
from duravip_agent.core.node_spec import version_of
from duravip_agent.events import Seen, Written
from duravip_runtime.api_error import Body

log = logging.getLogger(__name__)

_KERNEL = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


class NamesakeError(Exception):
    """Another machine has this node's name, and had it before."""


def this_machine() -> str:
    """What no other running machine is called: this kernel's start and the network namespace."""
    kernel, network = _KERNEL.read_text().strip(), os.stat(_NETWORK).st_ino  # noqa: PTH116
    return blake2b(f"{kernel} {network}".encode(), digest_size=8).hexdigest()


class Namesakes:
    """The store of the reporter, and a gate before the loop."""

    def __init__(self, cluster: Cluster, machine: str | None = None) -> None:
        self._cluster = cluster
        self._machine = machine or this_machine()
        self._rule = duplicate_node_rule.Namesakes(self._machine)
        self._lock = Lock()
        """The reporter's thread writes, the loop's asks."""
        self._has_looked = self._has_knocked = False
        self._held: list[Seen | Written] = []
        self._said = ""

    def patch_status(self, status: Body) -> Body:
        """Report as this machine; look first who did so before, and give that one time to answer.

        For the reporter's thread, which waits for as long as that takes.
        """
        if not self._has_looked:
            before = self._cluster.get()
            with self._lock:
                self._rule.found(before.get("status") or {})
            self._has_looked = True
        if self._rule.must_knock and not self._has_knocked:
            body = self._cluster.patch_status(
                {"agent": {"machine": self._machine + duplicate_node_rule.KNOCKING}}
            )
            with self._lock:
                self._rule.introduced(version_of(body), clock.now())
            self._has_knocked = True
            time.sleep(
                duplicate_node_rule.SETTLE_AFTER
            )  # whoever lives has written by then, and this one ends
        agent = {**(status.get("agent") or {}), "machine": self._machine}
        body = self._cluster.patch_status({**status, "agent": agent})
        with self._lock:
            self._rule.introduced(version_of(body), clock.now())
        return body

    def holds(self, event: Seen | Written) -> bool:
        """Whether the loop is not to know of this yet; raises NamesakeError."""
        with self._lock:
            now = clock.now()
            if isinstance(event, Seen):
                status, version = event.body.get("status") or {}, version_of(event.body)
                if self._rule.seen(status, version, now) and not self._rule.ends:
                    log.warning("%s", self._rule.said(now))
            if self._rule.ends:
                raise NamesakeError(self._rule.ends)
            if self._rule.is_settled(now) and not self._held:
                return False
            self._held.append(event)
            return True

    def released(self) -> Sequence[Seen | Written]:
        """What the loop may know of now."""
        with self._lock:
            if not self._held or not self._rule.is_settled(clock.now()):
                return ()
            held, self._held = self._held, []
            return held

    def has_news(self) -> bool:
        """Whether something else is to be said of other machines than the last time."""
        said = self.said()
        is_news, self._said = said != self._said, said
        return is_news

    def said(self) -> str:
        """What is to be said of other machines; empty: there are none."""
        with self._lock:
            return self._rule.said(clock.now())
