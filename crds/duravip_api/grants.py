"""What one node is granted: the spec of its NodePlumbing, written by the operator alone."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from duravip_api.addresses import expand_ranges, from_int, to_int
from duravip_api.fields import ATOMIC, Address, AddressRange, ApiModel, InterfaceName, Mask
from duravip_api.listeners import MOST_PORTS

PortName = Annotated[str, Field(max_length=9)]
"""A protocol and a port, e.g. `TCP/25`."""


MOST_GRANTED = 16384
"""Addresses that all entries of a spec name together. What goes beyond is not granted: a few bytes
can name billions, and whoever reads them spells them out."""

UNREAD_COUNTS = 64
"""An item that cannot be read counts as so many addresses: it costs as much to find that out."""


class Allowance:
    """Spells out the items of a spec, until they name all the addresses that one may name."""

    def __init__(self) -> None:
        self.left = MOST_GRANTED

    def spelled_out(self, item: str) -> list[str]:
        """The addresses that an item names, those that it names twice twice.

        Raises ValueError when it cannot be read, or names more than is left.
        """
        if self.left <= 0:
            raise ValueError("the entries before it name too many addresses")
        try:
            is_single = "," not in item and "-" not in item
            found = (
                [from_int(*to_int(item))] if is_single else list(expand_ranges([item], self.left))
            )
        except ValueError:
            self.left -= max(UNREAD_COUNTS, item.count(",") + 1)
            raise
        self.left -= len(found)
        return found


class InterfaceGrant(ApiModel):
    """Addresses that the node may plumb on one interface with one mask."""

    name: Annotated[InterfaceName, Field(description="The interface.")]
    mask: Annotated[Mask, Field(description="The prefix length of the aliases.")]
    arp_all_hosts: Annotated[
        bool, Field(description="Announce to every known neighbour as well.")
    ] = True
    arp_targets: Annotated[
        list[Address],
        Field(
            max_length=64,
            description="Announce to these directly as well.",
            json_schema_extra=ATOMIC,
        ),
    ] = []
    fencing: Annotated[
        Literal["Segment", "Strict"],
        Field(
            description="Strict: mute these addresses when no beat was acknowledged for too long."
        ),
    ] = "Segment"
    granted: Annotated[
        list[AddressRange],
        FailFast(),
        Field(
            max_length=MOST_GRANTED,
            description="The addresses: e.g. `10.1.1.1,3,7-9` for five of them.",
            json_schema_extra=ATOMIC,
        ),
    ] = []
    contested: Annotated[
        list[AddressRange],
        FailFast(),
        Field(
            max_length=MOST_GRANTED,
            description="More of them, to be taken only when nobody answers for them.",
            json_schema_extra=ATOMIC,
        ),
    ] = []


class Unconfirmed(ApiModel):
    """What a node may still hold beside what its spec grants."""

    generation: Annotated[
        int,
        Field(
            ge=0,
            description="Of this object. If it has another one, somebody else wrote the spec, "
            "and this does not count.",
        ),
    ]
    addresses: Annotated[
        list[AddressRange],
        FailFast(),
        Field(
            max_length=MOST_GRANTED,
            description="What was taken out, and not known to be let go when this was written.",
            json_schema_extra=ATOMIC,
        ),
    ] = []


class NodePlumbingSpec(ApiModel):
    """What the node is granted. Written by the operator alone."""

    epoch: Annotated[
        int,
        Field(ge=0, description="Which leader wrote it. An agent refuses a lower one."),
    ] = 0
    pulse: Annotated[
        list[Annotated[str, Field(max_length=262)]],
        Field(
            max_length=16,
            description="HOST:PORT of every operator replica: where the agent sends its beats.",
            json_schema_extra=ATOMIC,
        ),
    ] = []
    pulse_keys: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(
            max_length=16,
            description="The X25519 public key of each replica that `pulse` names, in the same "
            "order; empty: of a version that has none.",
            json_schema_extra=ATOMIC,
        ),
    ] = []
    interfaces: Annotated[
        list[InterfaceGrant],
        Field(max_length=256, description="The grants.", json_schema_extra=ATOMIC),
    ] = []
    granted_count: Annotated[
        int, Field(ge=0, description="How many addresses are granted in all.")
    ] = 0
    ports: Annotated[
        list[PortName],
        Field(
            max_length=MOST_PORTS,
            description="The ports that services are declared on anywhere, e.g. `TCP/25`: the "
            "agent reports who listens there.",
            json_schema_extra=ATOMIC,
        ),
    ] = []
    unconfirmed: Annotated[
        Unconfirmed | None,
        Field(
            description="What the node may still hold beside what is granted, for the next leader "
            "to know. Absent: anything."
        ),
    ] = None
