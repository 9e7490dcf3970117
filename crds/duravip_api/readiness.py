"""Readiness: on which nodes an address works, as its object says it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from duravip_api.checks import Check
from duravip_api.fields import ApiModel, ServiceName, rules

_ENDPOINTS_OF = (
    "The name of a Service in the same namespace: a node is fit when it has a ready endpoint of "
    "it. An endpoint without a node name makes every node fit."
)


class BindingReadiness(ApiModel):
    """Which nodes are fit for a source address."""

    endpoints_of: Annotated[ServiceName, Field(description=_ENDPOINTS_OF)]


class Readiness(ApiModel):
    """Which nodes are fit for an address: those that meet all of this."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.endpointsOf) || has(self.listening) && self.listening || "
                "has(self.check)",
                "must say what makes a node fit: endpointsOf, listening: true, or check",
            )
        )
    )

    endpoints_of: Annotated[ServiceName | None, Field(description=_ENDPOINTS_OF)] = None
    listening: Annotated[
        bool | None,
        Field(
            description="true: a node is fit when programs in its own network namespace listen on "
            "every port of `services`, each on all addresses (0.0.0.0 or ::). Sockets that are "
            "bound to one address do not count."
        ),
    ] = None
    check: Annotated[
        Check | None,
        Field(
            description="A node is fit when it passes this probe of its own address on the "
            "Topology's interface. Every node that may hold the address makes it; a node makes "
            "at most 256 that differ."
        ),
    ] = None
    policy: Annotated[
        Literal["Require", "Prefer"],
        Field(
            description="Require: the address leaves a node that is not fit as soon as a fit one "
            "may take it. Prefer: it only chooses a fit node when it has to go somewhere."
        ),
    ] = "Require"
