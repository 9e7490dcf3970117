"""Conditions, as every kind carries them, and the status that DuraVIP and Binding share."""

from typing import Annotated, Literal

from pydantic import Field

from duravip_api.fields import (
    ApiModel,
    InterfaceName,
    Message,
    NodeName,
    Timestamp,
    list_map_keys,
)
from duravip_api.reasons import MoveReason, State

ObservedGeneration = Annotated[
    int | None, Field(description="The generation of the object that this speaks of.")
]


class Condition(ApiModel):
    """One observation about an object."""

    type: Annotated[str, Field(max_length=64, description="What is observed, e.g. Ready.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[str, Field(max_length=128, description="Why, in one word of a fixed list.")]
    message: Annotated[Message, Field(description="Why, in a sentence for people.")] = ""
    last_transition_time: Annotated[
        Timestamp, Field(description="When `status` last changed from one value to another.")
    ]
    observed_generation: ObservedGeneration = None


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=24,
        description="What is known about the object; `Ready` is always there.",
        json_schema_extra=list_map_keys("type"),
    ),
]


class Move(ApiModel):
    """A change of owner, or of the interface; or an outage that ended where it began."""

    from_: Annotated[
        NodeName | None,
        Field(
            alias="from",
            description="The node that had it; absent: none. The same as `to`: that node serves "
            "it again, or by another interface.",
        ),
    ] = None
    to: Annotated[NodeName, Field(description="The node that serves it since.")]
    reason: Annotated[MoveReason, Field(description="Why it moved.")]
    time: Annotated[Timestamp, Field(description="When the new owner was seen to serve it.")]
    gap_milliseconds: Annotated[
        int | None,
        Field(
            ge=0,
            description="How long the operator saw no node serving it; absent: not known.",
        ),
    ] = None


class EntityStatus(ApiModel):
    """What became of a DuraVIP or a Binding. Written by the operator alone."""

    state: Annotated[
        State | None,
        Field(
            description="Owned: served by its owner. Moving: between owners. Unassigned: nobody "
            "can or may hold it (the condition Ready says why). Broken: refused. Unmanaged."
        ),
    ] = None
    address: Annotated[
        str | None,
        Field(
            max_length=64,
            description="The address that `since` and `lastMove` speak of: after an edit the one "
            "before, until the new one is served.",
        ),
    ] = None
    owner: Annotated[
        NodeName | None,
        Field(description="The node that serves the address, as its agent reported."),
    ] = None
    interface: Annotated[
        InterfaceName | None, Field(description="The interface that carries the address there.")
    ] = None
    since: Annotated[Timestamp | None, Field(description="Since when the owner serves it.")] = None
    flags: Annotated[
        str,
        Field(max_length=64, description="`-`, or some of Broken,Conflict,Unsafe in that order."),
    ] = "-"
    last_move: Annotated[Move | None, Field(description="The last change.")] = None
    participants: Annotated[
        int | None, Field(ge=0, description="How many nodes may hold the address now.")
    ] = None
    observed_generation: ObservedGeneration = None
    conditions: Conditions = []
