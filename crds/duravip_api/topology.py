"""Topology: a network block and the interface it lives on."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from duravip_api.conditions import Conditions, ObservedGeneration
from duravip_api.fields import (
    ATOMIC,
    LONGEST_LABEL,
    Address,
    ApiModel,
    Cidr,
    InterfaceName,
    Mask,
    NamespaceName,
    ReservedAddresses,
    SegmentInterface,
    Selector,
    atomic,
    rules,
)

MOST_NAMES = 64
"""Names of interfaces that a status lists."""


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
            (
                "(has(self.interface) ? 1 : 0) + (has(self.interfaces) ? 1 : 0) "
                "+ (has(self.bySubnet) && self.bySubnet ? 1 : 0) == 1",
                "exactly one of interface, interfaces and bySubnet must be set",
            ),
        )
    )

    cidr: Annotated[
        Cidr, Field(description="The block. The longest block that holds an address wins.")
    ]
    interface: Annotated[
        SegmentInterface | None,
        Field(
            description="The interface, on every node, that carries the block's addresses. "
            "Exactly one of this, `interfaces` and `bySubnet` must be set."
        ),
    ] = None
    interfaces: Annotated[
        list[SegmentInterface] | None,
        Field(
            min_length=1,
            max_length=16,
            description="Names of interfaces, for nodes on which they differ: each node uses the "
            "first of them that it has, up and with carrier.",
            json_schema_extra=ATOMIC
            | rules(
                (
                    "self.all(name, self.exists_one(other, other == name))",
                    "must not name an interface twice",
                )
            ),
        ),
    ] = None
    by_subnet: Annotated[
        bool | None,
        Field(
            description="Each node uses the interface on which it has an address of its own whose "
            "network contains the block's first address."
        ),
    ] = None
    reserved: Annotated[
        list[ReservedAddresses] | None,
        atomic(
            256,
            "Addresses that are given to nobody: gateways and other hosts of the "
            "segment. Each is an address, or a range as in 10.1.1.1-10.1.1.9.",
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
        atomic(256, "The namespaces whose objects may use the block. Absent: all."),
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
        atomic(64, "Addresses to which an announcement is sent directly as well."),
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

    def problem(self, block: IPv4Network | IPv6Network) -> str:
        """What is wrong although each field is right; empty: nothing. `block` is the cidr.

        The API server checks the same, unless the object is older than the rule.
        """
        if sum(map(bool, (self.interface, self.interfaces, self.by_subnet))) != 1:
            return "spec: exactly one of interface, interfaces and bySubnet must be set"
        mask = block.max_prefixlen if self.cidrmask is None else self.cidrmask
        if mask > block.max_prefixlen:
            return f"spec.cidrmask: {mask} is more than {block.max_prefixlen}"
        if mask < block.prefixlen:
            return f"spec.cidrmask: {mask} is less than the block's own {block.prefixlen}"
        return ""


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
    interface: Annotated[
        str | None,
        Field(
            max_length=512,
            description="What the spec asks for in one word: an interface, several as in "
            "`eth1,ens192`, or `by subnet`.",
        ),
    ] = None
    interfaces: Annotated[
        dict[InterfaceName, Annotated[int, Field(ge=1)]] | None,
        Field(
            max_length=MOST_NAMES,
            description="How many of these nodes use which interface: the most used ones.",
            json_schema_extra=rules(
                (f"self.all(key, size(key) <= {LONGEST_LABEL})", "must be names of interfaces")
            ),
        ),
    ] = None
    observed_generation: ObservedGeneration = None
    conditions: Conditions = []


class Topology(ApiModel):
    """A network block and the interface it lives on."""

    spec: Annotated[TopologySpec, Field(description="What is wanted.")]
    status: Annotated[TopologyStatus | None, Field(description="What became of it.")] = None
