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
from duravip_agent.control.kube import NodePlumbingClient
from duravip_agent.core import duplicate_node_rule
from duravip_agent.core.node_spec import resource_version
from duravip_agent.events import ObjectSeen, StatusWritten
from duravip_runtime.api_error import Body

log = logging.getLogger(__name__)

_KERNEL = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


class DuplicateNodeError(Exception):
    """Another machine has this node's name, and had it before."""


def this_machine() -> str:
    """What no other running machine is called: this kernel's start and the network namespace."""
    kernel, network = _KERNEL.read_text().strip(), os.stat(_NETWORK).st_ino  # noqa: PTH116
    return blake2b(f"{kernel} {network}".encode(), digest_size=8).hexdigest()


class DuplicateNodeGuard:
    """The store of the status writer, and a gate before the loop."""

    def __init__(self, client: NodePlumbingClient, machine: str | None = None) -> None:
        self._client = client
        self._machine = machine or this_machine()
        self._rule = duplicate_node_rule.DuplicateNodeRule(self._machine)
        self._lock = Lock()
        """The status writer's thread writes, the loop's asks."""
        self._has_looked = self._has_knocked = False
        self._held: list[ObjectSeen | StatusWritten] = []
        self._message = ""

    def patch_status(self, status: Body) -> Body:
        """Report as this machine; look first who did so before, and give that one time to answer.

        For the status writer's thread, which waits for as long as that takes.
        """
        if not self._has_looked:
            before = self._client.get()
            with self._lock:
                self._rule.set_previous(before.get("status") or {})
            self._has_looked = True
        if self._rule.must_knock and not self._has_knocked:
            body = self._client.patch_status(
                {"agent": {"machine": self._machine + duplicate_node_rule.KNOCKING}}
            )
            with self._lock:
                self._rule.first_report_stored(resource_version(body), clock.now())
            self._has_knocked = True
            # An agent that lives has written by then, and this one ends.
            time.sleep(duplicate_node_rule.SETTLE_AFTER_S)
        agent = {**(status.get("agent") or {}), "machine": self._machine}
        body = self._client.patch_status({**status, "agent": agent})
        with self._lock:
            self._rule.first_report_stored(resource_version(body), clock.now())
        return body

    def holds_back(self, event: ObjectSeen | StatusWritten) -> bool:
        """Whether the loop must not learn of this yet; raises DuplicateNodeError."""
        with self._lock:
            now = clock.now()
            if isinstance(event, ObjectSeen):
                status, version = event.body.get("status") or {}, resource_version(event.body)
                if self._rule.observe(status, version, now) and not self._rule.ends:
                    log.warning("%s", self._rule.message(now))
            if self._rule.ends:
                raise DuplicateNodeError(self._rule.ends)
            if self._rule.is_settled(now) and not self._held:
                return False
            self._held.append(event)
            return True

    def release(self) -> Sequence[ObjectSeen | StatusWritten]:
        """The events that the loop may handle now."""
        with self._lock:
            if not self._held or not self._rule.is_settled(clock.now()):
                return ()
            held, self._held = self._held, []
            return held

    def has_changed(self) -> bool:
        """Whether the message has changed since this was asked last."""
        message = self.message()
        has_changed, self._message = message != self._message, message
        return has_changed

    def message(self) -> str:
        """What to report about other machines; empty: there are none."""
        with self._lock:
            return self._rule.message(clock.now())
