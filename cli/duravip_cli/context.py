"""The context of a verb: its arguments, the cluster, the output, and waiting for an effect."""

import argparse
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol, TypeVar

from duravip_cli.errors import CommandError
from duravip_cli.output import Output
from duravip_cli.views.objects import Body, Kind, ObjectLists, is_ip_address

POLL_EVERY_S: Final = 0.25
SETTLE_AFTER_S: Final = 0.5
"""An agent that is alive acts on its spec within milliseconds."""


class Api(Protocol):
    """The API server, as the verbs use it: `cluster` implements it, tests keep it in memory."""

    def list(self, kind: Kind, namespace: str = "") -> tuple[Body, ...]:
        """Every object of the kind, or those of one namespace."""

    def read(self, kind: Kind, name: str, namespace: str = "") -> Body | None:
        """One object; None when there is none."""

    def label_node(self, name: str, label: str, value: str | None) -> None:
        """Set a label of a Node, or remove it."""

    def annotate(self, kind: Kind, body: Body, values: Mapping[str, str | None]) -> None:
        """Set annotations of an object, or remove those whose value is None."""

    def events(self, namespace: str, name: str) -> tuple[Body, ...]:
        """The Events about objects of this name."""

    def leases(self, namespace: str) -> tuple[Body, ...]:
        """The Leases of a namespace."""

    def leader_lease(self) -> Body | None:
        """The Lease of the operator's leader; None: there is none, or it may not be read."""

    def definition(self, name: str) -> Body | None:
        """A CustomResourceDefinition; None when there is none."""

    def pods(self, namespace: str) -> tuple[Body, ...]:
        """The pods of DuraVIP in this namespace."""

    def webhook(self) -> Body | None:
        """The configuration of DuraVIP's admission webhook; None when there is none."""

    def dry_run(self, body: Body) -> str:
        """The refusal of a dry run that creates this DuraVIP; empty: it would be admitted."""

    def version(self) -> str:
        """The API server's own version."""

    def clock_ahead(self) -> float | None:
        """By how many seconds our clock is ahead of the API server's; None: it sends no date."""

    def now(self) -> datetime:
        """The time, by the cluster's clock where ours is wrong."""


class Context:
    """Everything that a verb is run with."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        connect: Callable[[], Api],
        output: Output,
        sleep: Callable[[float], None],
        prompt: Callable[[str], str | None],
    ) -> None:
        """`connect` is called when the cluster is first needed: some verbs work without one."""
        self.arguments = arguments
        self.output = output
        self.sleep = sleep
        self.prompt = prompt
        """Asks on the terminal, and returns the line that is typed; None: there is no terminal."""
        self._connect = connect

    @cached_property
    def api(self) -> Api:
        """The cluster."""
        return self._connect()

    @property
    def namespace(self) -> str:
        """The namespace of `-n`; empty: all."""
        return str(self.arguments.namespace or "")

    def qualify(self, given: str) -> str:
        """An ADDRESS or NAME with the namespace of `-n`, where a name has none of its own."""
        is_whole = "/" in given or is_ip_address(given) or not self.namespace
        return given if is_whole else f"{self.namespace}/{given}"

    def read_all(self) -> ObjectLists:
        """All lists, of all namespaces: an election in one namespace depends on the others."""
        return ObjectLists(
            duravips=self.api.list("DuraVIP"),
            bindings=self.api.list("Binding"),
            topologies=self.api.list("Topology"),
            nodes=self.api.list("Node"),
            plumbings=self.api.list("NodePlumbing"),
            lease=self.api.leader_lease(),
            read_at=self.api.now().timestamp(),
        )

    def read_node(self, name: str) -> Body:
        """A Node; CommandError when there is none."""
        node = self.api.read("Node", name)
        if node is None:
            raise CommandError(f"there is no node {name}")
        return node

    def read_plumbings_again(self) -> tuple[Body, ...]:
        """All NodePlumbings, after the time that living agents need to act on new specs."""
        self.sleep(SETTLE_AFTER_S)
        return self.api.list("NodePlumbing")


Found = TypeVar("Found")


def wait_for(context: Context, look: Callable[[], Found | None]) -> Found | None:
    """The first result of `look` that is not None; None when --timeout runs out before."""
    until = time.monotonic() + float(context.arguments.timeout)
    while (found := look()) is None:
        if time.monotonic() >= until:
            return None
        context.sleep(POLL_EVERY_S)
    return found
