"""AddressPool: addresses that Services of type LoadBalancer may get."""

from typing import Annotated

from pydantic import Field

from duravip_api.conditions import Conditions, ObservedGeneration
from duravip_api.fields import ATOMIC, ApiModel, NamespaceName, PoolRange, atomic

MOST_RANGES = 256
"""Ranges of a pool."""

_Count = Annotated[str, Field(max_length=40)]
"""A number that may be larger than 64 bits can hold."""


class AddressPoolSpec(ApiModel):
    """Which addresses there are, and which Services may have them."""

    ranges: Annotated[
        list[PoolRange],
        Field(
            min_length=1,
            max_length=MOST_RANGES,
            description="The addresses, of one family or both: each item is an address, a range "
            "as in 10.1.1.50-10.1.1.99, or a block. No two pools may share an address: of two "
            "that do the older keeps it.",
            json_schema_extra=ATOMIC,
        ),
    ]
    auto_assign: Annotated[
        bool,
        Field(
            description="Whether a Service that asks for nothing may get one of them. False: only "
            "one that names the pool or the address."
        ),
    ] = True
    avoid_buggy_ips: Annotated[
        bool,
        Field(
            alias="avoidBuggyIPs",
            description="Give out no IPv4 address that ends in .0 or .255, which old devices "
            "take for a network or a broadcast.",
        ),
    ] = False
    namespaces: Annotated[
        list[NamespaceName] | None,
        atomic(256, "The namespaces whose Services may have them. Absent: all."),
    ] = None
    priority: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="Of several pools the one with the lowest number is used first, then by "
            "name.",
        ),
    ] = 100


class AddressPoolStatus(ApiModel):
    """What became of an AddressPool. Written by the operator alone."""

    total4: Annotated[
        int | None, Field(ge=0, description="How many IPv4 addresses it can give out.")
    ] = None
    used4: Annotated[int | None, Field(ge=0, description="How many of them some object has.")] = (
        None
    )
    total6: Annotated[
        _Count | None, Field(description="How many IPv6 addresses it can give out.")
    ] = None
    used6: Annotated[_Count | None, Field(description="How many of them some object has.")] = None
    observed_generation: ObservedGeneration = None
    conditions: Conditions = []


class AddressPool(ApiModel):
    """Addresses that Services of type LoadBalancer may get."""

    spec: Annotated[AddressPoolSpec, Field(description="What is wanted.")]
    status: Annotated[AddressPoolStatus | None, Field(description="What became of it.")] = None
