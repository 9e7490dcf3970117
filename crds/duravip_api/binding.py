"""Binding: a named source address.

Its plural is `vipbindings`: the core API has `bindings` of its own, and kubectl would ask that.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from duravip_api.conditions import EntityStatus
from duravip_api.fields import (
    ApiModel,
    Failback,
    NodeName,
    Selector,
    VirtualAddress,
    rules,
)
from duravip_api.readiness import BindingReadiness

PREFERENCE = (
    "The name of the Node that should own the address whenever it can. It takes the address back "
    "when it returns. Absent: any node."
)
NODE_SELECTOR = (
    "Labels of the Nodes that may hold the address; where several objects name it, a Node that "
    "any of them admits may. Absent: every Node."
)
READINESS = (
    "Which nodes are fit for the address. It goes to a fit node, and leaves one that is not as "
    "soon as a fit one may take it; where no node is fit, it stays. Absent: every node is fit."
)

FAILBACK = (
    "When the preferred node takes the address back from a node that serves it. Always: as soon "
    "as it is well. Never: it stays where it is until it has to move; so does an address whose "
    "`preference` is edited. A duration, e.g. 5m: once the preferred node has been well, and fit, "
    "for so long. Where several objects name the address, the slowest counts."
)
BALANCE = (
    "Auto: the address may be moved to even out the load. Never: it is not, though it counts as "
    "load. Where several objects name the address, Never wins."
)
EXPOSE = (
    "All: whatever listens on the owner is reached at the address. Declared: only the ports of "
    "`services`, ICMP, and the replies to connections that the node itself began are let in, and "
    "everything else is dropped. Where several objects name the address, Declared wins, and the "
    "ports of all of them are open."
)


class BindingSpec(ApiModel):
    """A source address and who should own it."""

    address: Annotated[
        VirtualAddress | None,
        Field(
            description="The address, in canonical form. It may be edited: the old one is "
            "released, the new one elected. Absent: the Binding is listed and not managed."
        ),
    ] = None
    enable_duravip: Annotated[
        bool | None, Field(description="Whether DuraVIP manages the address. Absent: true.")
    ] = None
    preference: Annotated[NodeName | None, Field(description=PREFERENCE)] = None
    node_selector: Annotated[Selector | None, Field(description=NODE_SELECTOR)] = None
    readiness: Annotated[BindingReadiness | None, Field(description=READINESS)] = None
    failback: Annotated[Failback, Field(description=FAILBACK)] = "Always"
    balance: Annotated[Literal["Auto", "Never"], Field(description=BALANCE)] = "Auto"
    expose: Annotated[
        Literal["All", "Declared"],
        Field(description=EXPOSE + " A Binding declares no ports of its own."),
    ] = "All"
    group: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=63,
            description="The binding group it belongs to, for `kubectl duravip groups`.",
        ),
    ] = None
    suspend: Annotated[
        bool | None,
        Field(description="Tells mail servers to hold its traffic. It never moves the address."),
    ] = None
    adaptive: Annotated[
        bool | None,
        Field(
            description="Adaptive delivery uses this Binding: it then should have a preference."
        ),
    ] = None


class Binding(ApiModel):
    """A named source address that always has one owner among the nodes."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.metadata.name != 'default'",
                "the name 'default' is reserved: choose another one",
            ),
        )
    )

    spec: Annotated[BindingSpec, Field(description="What is wanted.")]
    status: Annotated[EntityStatus | None, Field(description="What became of it.")] = None
