"""Topology: a network block and the interface it lives on."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from duravip_api.conditions import Conditions
from duravip_api.fields import (
    ATOMIC,
    Address,
    ApiModel,
    Cidr,
    Mask,
    NamespaceName,
    ReservedAddresses,
    SegmentInterface,
    Selector,
    rules,
)


class TopologySpec(ApiModel):
    """Where the addresses of a block are plumbed, and how they are announced."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.cidrmask) || !isCIDR(self.cidr) || cidr(self.cidr).ip().family() == 6 "
                "|| self.cidrmask <= 32",
                "cidrmask must be at most 32 for an IPv4 block",
            ),
            (
                "!has(self.cidrmask) || !isCIDR(self.cidr) "
                "|| self.cidrmask >= cidr(self.cidr).prefixLength()",
                "cidrmask must not be below the prefix length of cidr: the aliases would stand "
                "for addresses outside the block",
            ),
            (
                "!isCIDR(self.cidr) || cidr(self.cidr).ip().isGlobalUnicast() || "
                "cidr(self.cidr).ip().isUnspecified()",
                "cidr must be a block of addresses that one host can hold: not multicast, "
                "loopback or link-local",
            ),
        )
    )

    cidr: Annotated[
        Cidr, Field(description="The block. The longest block that holds an address wins.")
    ]
    interface: Annotated[
        SegmentInterface,
        Field(description="The interface, on every node, that carries the block's addresses."),
    ]
    reserved: Annotated[
        list[ReservedAddresses] | None,
        Field(
            max_length=256,
            description="Addresses that are given to nobody: gateways and other hosts of the "
            "segment. Each is an address, or a range as in 10.1.1.1-10.1.1.9.",
            json_schema_extra=ATOMIC,
        ),
    ] = None
    cidrmask: Annotated[
        Mask | None,
        Field(
            description="The prefix length of the aliases. Absent: 32, or 128 for IPv6. Others "
            "usually do not work."
        ),
    ] = None
    node_selector: Annotated[
        Selector | None,
        Field(description="Labels of the Nodes that may hold the block. Absent: every Node."),
    ] = None
    namespaces: Annotated[
        list[NamespaceName] | None,
        Field(
            max_length=256,
            description="The namespaces whose objects may use the block. Absent: all.",
            json_schema_extra=ATOMIC,
        ),
    ] = None
    arp_all_hosts: Annotated[
        bool,
        Field(
            description="Announce to every neighbour known on the interface, not only to "
            "broadcast, gateways and `arpTargets`."
        ),
    ] = True
    arp_targets: Annotated[
        list[Address] | None,
        Field(
            max_length=64,
            description="Addresses to which an announcement is sent directly as well.",
            json_schema_extra=ATOMIC,
        ),
    ] = None
    cross_subnet: Annotated[
        Literal["Allow", "Exclude"],
        Field(
            description="What to do with a node whose interface has no address in the block's "
            "network: Allow it with a warning, or Exclude it."
        ),
    ] = "Allow"
    fencing: Annotated[
        Literal["Segment", "Strict"] | None,
        Field(
            description="Segment: a silent node's addresses move when its segment no longer "
            "answers. Strict: only after it must have muted itself. Absent: the operator's "
            "default."
        ),
    ] = None


class TopologyStatus(ApiModel):
    """What became of a Topology. Written by the operator alone."""

    nodes: Annotated[
        int | None, Field(ge=0, description="How many nodes have the interface and may use it.")
    ] = None
    addresses: Annotated[
        int | None, Field(ge=0, description="How many managed addresses lie in the block.")
    ] = None
    mask: Annotated[
        int | None, Field(ge=0, le=128, description="The prefix length that is in force.")
    ] = None
    observed_generation: Annotated[
        int | None, Field(description="The generation of the object that this speaks of.")
    ] = None
    conditions: Conditions = []


class Topology(ApiModel):
    """A network block and the interface it lives on."""

    spec: Annotated[TopologySpec, Field(description="What is wanted.")]
    status: Annotated[TopologyStatus | None, Field(description="What became of it.")] = None
