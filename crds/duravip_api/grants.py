"""What one node is granted: the spec of its NodePlumbing, written by the operator alone."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from duravip_api.addresses import expand_ranges, from_int, to_int
from duravip_api.checks import LONGEST_CHECK, MOST_CHECKS
from duravip_api.fields import Address, AddressRange, ApiModel, InterfaceName, Mask, atomic
from duravip_api.guards import LONGEST_GUARD, MOST_GUARDED
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
    arp_targets: Annotated[list[Address], atomic(64, "Announce to these directly as well.")] = []
    fencing: Annotated[
        Literal["Segment", "Strict"],
        Field(
            description="Strict: mute these addresses when no beat was acknowledged for too long."
        ),
    ] = "Segment"
    granted: Annotated[
        list[AddressRange],
        FailFast(),
        atomic(MOST_GRANTED, "The addresses: e.g. `10.1.1.1,3,7-9` for five of them."),
    ] = []
    contested: Annotated[
        list[AddressRange],
        FailFast(),
        atomic(MOST_GRANTED, "More of them, to be taken only when nobody answers for them."),
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
        atomic(
            MOST_GRANTED, "What was taken out, and not known to be let go when this was written."
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
        atomic(16, "HOST:PORT of every operator replica: where the agent sends its beats."),
    ] = []
    pulse_keys: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        atomic(
            16,
            "The X25519 public key of each replica that `pulse` names, in the same "
            "order; empty: of a version that has none.",
        ),
    ] = []
    interfaces: Annotated[list[InterfaceGrant], atomic(256, "The grants.")] = []
    granted_count: Annotated[
        int, Field(ge=0, description="How many addresses are granted in all.")
    ] = 0
    ports: Annotated[
        list[PortName],
        atomic(
            MOST_PORTS,
            "The ports that services are declared on anywhere, e.g. `TCP/25`: the "
            "agent reports who listens there.",
        ),
    ] = []
    guarded: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_GUARD)]],
        FailFast(),
        atomic(
            MOST_GUARDED,
            "The granted addresses that let in declared ports alone, and those ports: "
            "e.g. `10.1.1.1,3,7-9 TCP/25,TCP/465`, or `10.1.1.1` for no port at all.",
        ),
    ] = []
    ports_decide: Annotated[
        bool,
        Field(
            description="Whether addresses move by who listens on `ports`: the agent then looks "
            "every half a second, else every two seconds."
        ),
    ] = False
    checks: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_CHECK)]],
        atomic(
            MOST_CHECKS,
            "The checks that the agent makes of the node's own addresses, e.g. "
            "`http/eth1/ipv4/8080/1s/1s/3/2/200-399/-/healthz`: see `duravip_api.checks`.",
        ),
    ] = []
    unconfirmed: Annotated[
        Unconfirmed | None,
        Field(
            description="What the node may still hold beside what is granted, for the next leader "
            "to know. Absent: anything."
        ),
    ] = None
