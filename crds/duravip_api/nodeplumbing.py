"""NodePlumbing: what one node is granted and what it serves.

The operator alone writes `spec`, the agent of that node alone writes `status`. Lists are of
strings and atomic: lists of objects, or lists merged by item, cost the API server 5-8 times as
much on the one write that a fail-over waits for.
"""

from typing import Annotated

from pydantic import FailFast, Field

from duravip_api.addresses import LONGEST_ITEM
from duravip_api.checks import LONGEST_CHECK, MOST_CHECKS
from duravip_api.conditions import Conditions
from duravip_api.fields import (
    SCHEMALESS,
    ApiModel,
    InterfaceName,
    Message,
    Timestamp,
    atomic,
)
from duravip_api.grants import NodePlumbingSpec
from duravip_api.listeners import MOST_LISTENERS

AddressText = Annotated[str, Field(max_length=45)]
"""An address as the machines write it: not checked again, which 10 240 of them would feel."""

MOST_LISTED = 64
"""So many addresses of an interface are listed one by one."""
MOST_OWN_ITEMS = 1024
MOST_OWN_SPANS = 4096
"""So many spans of a node's further addresses are told, and read."""

RequestTime = Annotated[str | None, Field(max_length=64)]
"""The time as people wrote it: not checked, for a status must never be refused."""


class Nic(ApiModel):
    """A network interface as the agent sees it."""

    name: Annotated[InterfaceName, Field(description="Its name.")]
    index: Annotated[int, Field(description="The kernel's number for it.")]
    mac: Annotated[str, Field(max_length=64, description="Its link-layer address.")] = ""
    mtu: Annotated[int, Field(description="Its largest packet, in bytes.")] = 0
    up: Annotated[bool, Field(description="Whether an administrator has set it up.")] = False
    carrier: Annotated[bool, Field(description="Whether its cable is in.")] = False
    speed_mbps: Annotated[
        int | None, Field(description="Its speed in Mbit/s; absent: not known.")
    ] = None
    unusable: Annotated[
        Message | None,
        Field(
            description="Why no address can be answered for on it although it is up; absent: all "
            "can."
        ),
    ] = None
    unusable_ipv4: Annotated[
        Message | None, Field(description="The same, of IPv4 addresses alone.")
    ] = None
    unusable_ipv6: Annotated[
        Message | None, Field(description="The same, of IPv6 addresses alone.")
    ] = None
    addresses: Annotated[
        list[Annotated[str, Field(max_length=49)]],
        atomic(
            MOST_LISTED,
            "Its own addresses with their prefix, without those of DuraVIP; at most "
            "64 are listed, those first that are in different networks.",
        ),
    ] = []
    addresses_omitted: Annotated[
        int | None,
        Field(ge=0, description="How many of its addresses are not listed; absent: none."),
    ] = None
    networks: Annotated[
        list[Annotated[str, Field(max_length=49)]] | None,
        atomic(
            MOST_LISTED,
            "The networks of all its addresses, where these are too many to be "
            "listed; absent though some are omitted: those are too many as well.",
        ),
    ] = None


class Failure(ApiModel):
    """An address that the node could not plumb or remove."""

    address: Annotated[AddressText, Field(description="The address.")]
    message: Annotated[Message, Field(description="What the kernel said.")]
    since: Annotated[Timestamp | None, Field(description="Since when, by the node's clock.")] = (
        None
    )


class Contested(Failure):
    """A granted address that another host has."""

    mac: Annotated[
        str, Field(max_length=64, description="The link-layer address of whoever answered.")
    ] = ""


class Agent(ApiModel):
    """The program that reports."""

    version: Annotated[str, Field(max_length=64, description="Its version.")]
    boot: Annotated[
        str, Field(max_length=64, description="A new value each time that the agent starts.")
    ]
    public_key: Annotated[
        str,
        Field(
            max_length=64,
            description="The X25519 key by which its datagrams are known: a new one each time "
            "that the agent starts.",
        ),
    ] = ""
    machine: Annotated[
        str | None,
        Field(
            max_length=64,
            description="What the machine on which it runs is called until that starts anew.",
        ),
    ] = None


class Neighbour(ApiModel):
    """A host that the node's kernel knows, or looks for."""

    interface: Annotated[InterfaceName, Field(description="Where it is.")]
    address: Annotated[AddressText, Field(description="Its address.")]
    mac: Annotated[str, Field(max_length=64, description="Its link-layer address.")] = ""
    state: Annotated[
        str, Field(max_length=16, description="What the kernel thinks of it, e.g. REACHABLE.")
    ]


class RequestsDone(ApiModel):
    """What people asked this node for and got: of each request the time that it gave."""

    announce: Annotated[RequestTime, Field(description="Announced again.")] = None
    reset: Annotated[RequestTime, Field(description="Everything unplumbed and taken anew.")] = None
    neighbours: Annotated[RequestTime, Field(description="The neighbours listed.")] = None


class NodePlumbingStatus(ApiModel):
    """What the node serves. Written by that node's agent alone."""

    observed_generation: Annotated[
        int | None,
        Field(description="The generation of the spec that the agent has acted on."),
    ] = None
    epoch: Annotated[int | None, Field(description="The highest epoch that it has seen.")] = None
    agent: Annotated[Agent | None, Field(description="The program that reports.")] = None
    served: Annotated[
        list[AddressText],
        FailFast(),
        Field(
            max_length=16384,
            description="Every address that this node serves, a list of strings.",
            json_schema_extra=SCHEMALESS,
        ),
    ] = []
    served_count: Annotated[int, Field(ge=0, description="How many it serves.")] = 0
    contested: Annotated[
        list[Contested],
        atomic(
            256,
            "Granted addresses for which another host answers, whether the node "
            "serves them as well or not; at most 256 are listed.",
        ),
    ] = []
    strict: Annotated[
        list[InterfaceName],
        atomic(256, "The interfaces whose addresses it mutes when it loses contact."),
    ] = []
    failures: Annotated[
        list[Failure], atomic(256, "What could not be plumbed or removed; at most 256 are listed.")
    ] = []
    failures_omitted: Annotated[
        int, Field(ge=0, description="How many further failures are not listed.")
    ] = 0
    listening: Annotated[
        list[Annotated[str, Field(max_length=101)]],
        atomic(
            MOST_LISTENERS,
            "Who listens on the ports that spec.ports names, in the node's own "
            "network namespace: the port, and the address or range that sockets are bound to; "
            "the port alone: nobody. Pods with a network of their own are not seen.",
        ),
    ] = []
    passing: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_CHECK)]],
        atomic(
            MOST_CHECKS,
            "Those of spec.checks that pass at present. What is not listed fails, or "
            "was not made often enough yet.",
        ),
    ] = []
    nics: Annotated[list[Nic], atomic(256, "The node's interfaces, in the kernel's order.")] = []
    nics_omitted: Annotated[
        int, Field(ge=0, description="How many further interfaces are not listed.")
    ] = 0
    own: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_ITEM)]],
        atomic(
            MOST_OWN_ITEMS,
            "The node's own addresses that are not listed with its interfaces, as ranges.",
        ),
    ] = []
    own_omitted: Annotated[
        int,
        Field(
            ge=0,
            description="How many of its own addresses are named neither there nor here: as long "
            "as there are any, an address that goes to another node is asked for first.",
        ),
    ] = 0
    next_hops: Annotated[
        list[AddressText],
        atomic(
            64,
            "The next hops of the node's routes; at most 64 are listed, those of the "
            "most general routes.",
        ),
    ] = []
    nic_names: Annotated[
        str, Field(max_length=4096, description="The names of the interfaces that are up.")
    ] = ""
    neighbours: Annotated[
        list[Neighbour],
        atomic(
            256,
            "For a minute after somebody has asked for them: the hosts on its "
            "interfaces; at most 256 are listed.",
        ),
    ] = []
    requests: Annotated[
        RequestsDone | None, Field(description="What people asked for and got.")
    ] = None
    conditions: Conditions = []


class NodePlumbing(ApiModel):
    """What one node is granted and what it serves. Not to be edited by hand."""

    spec: Annotated[
        NodePlumbingSpec, Field(description="What the node is granted; written by the operator.")
    ]
    status: Annotated[
        NodePlumbingStatus | None,
        Field(description="What the node serves; written by that node's agent."),
    ] = None
