"""Binding: a named source address.

Its plural is `vipbindings`: the core API has `bindings` of its own, and kubectl would ask that.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from duravip_api.conditions import EntityStatus
from duravip_api.fields import ApiModel, NodeName, Selector, VirtualAddress, rules

PREFERENCE = (
    "The name of the Node that should own the address whenever it can. It takes the address back "
    "when it returns. Absent: any node."
)
NODE_SELECTOR = (
    "Labels of the Nodes that may hold the address; where several objects name it, a Node that "
    "any of them admits may. Absent: every Node."
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
