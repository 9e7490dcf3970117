"""One call of a verb: what was asked for, and the two ways out of the program."""

import argparse
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol, TypeVar

from duravip_cli.output import Output
from duravip_cli.views.objects import Body, Kind, Lists, is_address


class Api(Protocol):
    """What the verbs ask of a cluster."""

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
        """The Lease of the operator's leader; None when there is none or it is not for us."""

    def definition(self, name: str) -> Body | None:
        """A CustomResourceDefinition; None when there is none."""

    def pods(self, namespace: str) -> tuple[Body, ...]:
        """The pods of DuraVIP in this namespace."""

    def webhook(self) -> Body | None:
        """The configuration of DuraVIP's admission webhook; None when there is none."""

    def dry_run(self, body: Body) -> str:
        """What is said to whoever creates this DuraVIP, as a dry run; empty: it is let in."""

    def version(self) -> str:
        """The API server's own version."""

    def ahead(self) -> float | None:
        """By how many seconds our clock is ahead of the API server's; None: it does not say."""

    def now(self) -> datetime:
        """The time, by the cluster's clock where ours is wrong."""


def everything(api: Api, namespace: str = "") -> Lists:
    """All lists; of DuraVIPs and Bindings those of one namespace, if one is given."""
    return Lists(
        duravips=api.list("DuraVIP", namespace),
        bindings=api.list("Binding", namespace),
        topologies=api.list("Topology"),
        nodes=api.list("Node"),
        plumbings=api.list("NodePlumbing"),
        lease=api.leader_lease(),
        read_at=api.now().timestamp(),
    )


class Call:
    """What a verb is given."""

    def __init__(
        self,
        asked: argparse.Namespace,
        connect: Callable[[], Api],
        output: Output,
        sleep: Callable[[float], None],
        typed: Callable[[str], str | None],
    ) -> None:
        """`connect` is called by the first who needs the cluster: some verbs work without."""
        self.asked = asked
        self.output = output
        self.sleep = sleep
        self.typed = typed
        """Asks whoever sits at the terminal; None when nobody does."""
        self._connect = connect

    @cached_property
    def api(self) -> Api:
        """The cluster."""
        return self._connect()

    @property
    def namespace(self) -> str:
        """The namespace that was named; empty: all."""
        return str(self.asked.namespace or "")

    def meant(self, given: str) -> str:
        """What an ADDRESS or NAME means; a name is one of the namespace that was named."""
        is_whole = "/" in given or is_address(given) or not self.namespace
        return given if is_whole else f"{self.namespace}/{given}"

    def everything(self) -> Lists:
        """All lists; what was asked in one namespace is still decided from all of them."""
        return everything(self.api)


LOOK_EVERY: Final = 0.25
Found = TypeVar("Found")


def awaited(call: Call, look: Callable[[], Found | None]) -> Found | None:
    """What `look` finds; None when it has found nothing within --timeout."""
    until = time.monotonic() + float(call.asked.timeout)
    while (found := look()) is None:
        if time.monotonic() >= until:
            return None
        call.sleep(LOOK_EVERY)
    return found
