"""The context of a verb: its arguments, the cluster, the output, and waiting for an effect."""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import Body, Kind, ObjectLists, named_services
from duravip_cli.output import Output
from duravip_cli.targets import Target, parse_target

if TYPE_CHECKING:  # the client takes a quarter of a second to import
    from duravip_cli.cluster import Cluster

POLL_EVERY_S: Final = 0.25
PAUSE_PER_LOOK: Final = 4.0
"""How many times as long as it looks a verb waits between two looks: of ten thousand objects a
look takes a second of the API server, which has to do what is waited for."""
SETTLE_AFTER_S: Final = 0.5
"""An agent that is alive acts on its spec within milliseconds."""


class Context:
    """Everything that a verb is run with."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        connect: "Callable[[], Cluster]",
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
    def api(self) -> "Cluster":
        """The cluster."""
        return self._connect()

    @property
    def namespace(self) -> str:
        """The namespace of `-n`; empty: all."""
        return str(self.arguments.namespace or "")

    def target(self, given: str) -> Target:
        """What an argument names; a name alone is one of the namespace of `-n`."""
        return parse_target(given, self.namespace)

    def targets(self, given: Iterable[str]) -> list[Target]:
        """What several arguments name."""
        return [self.target(text) for text in given]

    def read_all(self, others: Iterable[Body] = ()) -> ObjectLists:
        """All lists, of all namespaces: an election in one namespace depends on the others.

        With the EndpointSlices that they name, or the `others`.
        """
        return self._read(self.api.list, others, {})

    def read_allowed(self) -> ObjectLists:
        """The lists that may be read; of addresses at least those of the namespace of `-n`.

        CommandError when not even these may be.
        """
        refused: dict[str, str] = {}

        def listed(kind: Kind) -> tuple[Body, ...]:
            try:
                return self.api.list(kind)
            except CommandError as error:
                if error.code is ExitCode.USAGE:
                    raise
                refused[kind] = str(error)
            if kind not in {"DuraVIP", "Binding"}:
                return ()
            if self.namespace:
                return self.api.list(kind, self.namespace)
            if {"DuraVIP", "Binding"} <= refused.keys():
                raise CommandError(f"{refused['DuraVIP']}; name yours with -n NAMESPACE")
            return ()

        return self._read(listed, (), refused)

    def _read(
        self,
        listed: Callable[[Kind], tuple[Body, ...]],
        others: Iterable[Body],
        refused: Mapping[str, str],
    ) -> ObjectLists:
        duravips, bindings = listed("DuraVIP"), listed("Binding")
        return ObjectLists(
            duravips=duravips,
            bindings=bindings,
            slices=self.api.endpoint_slices(named_services((*duravips, *bindings, *others))),
            topologies=listed("Topology"),
            nodes=listed("Node"),
            plumbings=listed("NodePlumbing"),
            lease=self.api.leader_lease(),
            read_at=self.api.now().timestamp(),
            refused=refused,
        )

    def read_entities(self, namespace: str = "", selector: str = "") -> ObjectLists:
        """The DuraVIPs and Bindings of a namespace, or of all, with these labels."""
        return ObjectLists(
            duravips=self.api.list("DuraVIP", namespace, selector),
            bindings=self.api.list("Binding", namespace, selector),
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
    began = time.monotonic()
    until = began + float(context.arguments.timeout)
    while (found := look()) is None:
        ended = time.monotonic()
        if ended >= until:
            return None
        context.sleep(min(max(POLL_EVERY_S, PAUSE_PER_LOOK * (ended - began)), until - ended))
        began = time.monotonic()
    return found
