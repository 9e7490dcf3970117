"""DuraVIP: an address and what listens there."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from duravip_api.binding import BALANCE, EXPOSE, FAILBACK, NODE_SELECTOR, PREFERENCE, READINESS
from duravip_api.conditions import EntityStatus
from duravip_api.fields import (
    ApiModel,
    Failback,
    Leader,
    NodeName,
    Selector,
    VirtualAddress,
    list_map_keys,
    rules,
)
from duravip_api.readiness import Readiness


class Service(ApiModel):
    """What listens on the address."""

    name: Annotated[str, Field(min_length=1, max_length=63, description="A name for people.")]
    port: Annotated[int, Field(ge=1, le=65535, description="The port it listens on.")]
    protocol: Annotated[Literal["TCP", "UDP"], Field(description="TCP or UDP.")] = "TCP"


class DuraVIPSpec(ApiModel):
    """An address, what listens there, and who should own it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!(has(self.follow) && has(self.preference))",
                "preference cannot be set together with follow: set it on the Binding that is "
                "followed",
            ),
            (
                "!(has(self.follow) && has(self.enableDuravip) && self.enableDuravip)",
                "enableDuravip cannot be true together with follow: leave it out",
            ),
            (
                "!has(self.follow) || self.follow != self.address",
                "follow must not be the address itself: give the two different addresses",
            ),
            (
                "!has(self.readiness) || !has(self.readiness.listening) || "
                "!self.readiness.listening || has(self.services) && self.services.size() > 0",
                "readiness.listening needs services: it is their ports that are listened on",
            ),
        )
    )

    address: Annotated[
        VirtualAddress,
        Field(
            description="The address, in canonical form. It may be edited: the old one is "
            "released, the new one elected."
        ),
    ]
    enable_duravip: Annotated[
        bool | None,
        Field(
            description="Whether DuraVIP manages the address. Absent: true, or false when "
            "`follow` is set."
        ),
    ] = None
    preference: Annotated[
        NodeName | None, Field(description=PREFERENCE + " Not together with `follow`.")
    ] = None
    follow: Annotated[
        Leader | None,
        Field(
            description="The name of a Binding in the same namespace, or an address: this address "
            "goes to the node that holds that one."
        ),
    ] = None
    services: Annotated[
        list[Service] | None,
        Field(
            max_length=64,
            description="What listens on the address: nodes that differ make it Unsafe. With "
            "`expose: Declared` nothing else is let in.",
            json_schema_extra=list_map_keys("port", "protocol"),
        ),
    ] = None
    expose: Annotated[Literal["All", "Declared"], Field(description=EXPOSE)] = "All"
    node_selector: Annotated[Selector | None, Field(description=NODE_SELECTOR)] = None
    readiness: Annotated[Readiness | None, Field(description=READINESS)] = None
    failback: Annotated[Failback, Field(description=FAILBACK)] = "Always"
    balance: Annotated[Literal["Auto", "Never"], Field(description=BALANCE)] = "Auto"


class DuraVIP(ApiModel):
    """An address that always has one owner among the nodes, and what listens there."""

    spec: Annotated[DuraVIPSpec, Field(description="What is wanted.")]
    status: Annotated[EntityStatus | None, Field(description="What became of it.")] = None
