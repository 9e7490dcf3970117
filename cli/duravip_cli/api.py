"""What the verbs ask of a cluster; `cluster` answers it from an API server, tests from memory."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from duravip_cli.core.lists import Body, Kind, Lists


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
