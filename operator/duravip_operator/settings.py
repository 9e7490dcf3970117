"""What can be set for the operator."""

import re
import secrets
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from duravip_api import timing
from duravip_runtime.key_file import KeyFilePath
from duravip_runtime.settings import (
    PROGRAM_VERSION,
    Listen,
    ProgramSettings,
    parse_endpoint,
    parse_settings,
)

LEAST_SUSPECT_AFTER = 1.2 * timing.BEAT
"""Less would make a suspect of whoever beats in time."""


def unique_name() -> str:
    """The host's name and a random part: no two replicas share it."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:40].strip("-")
    return f"{host or 'operator'}-{secrets.token_hex(3)}"


Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Settings(ProgramSettings):
    """Elects one owner for every virtual address and tells its node to plumb it.

    Each option can also be set in the environment, e.g. DURAVIP_NAMESPACE. Times are in seconds,
    and `--version` tells which version this is. Exit codes: 0 asked to stop, 2 bad settings or a
    missing permission, 1 anything else.
    """

    namespace: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="the namespace of the Leases",
        ),
    ] = "duravip-system"
    identity: Annotated[
        str,
        Field(
            default_factory=unique_name,
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=200,
            description="the name of this replica; default: the host's name and a random part",
        ),
    ]
    pulse_listen: Annotated[
        Listen, Field(description="HOST:PORT (UDP) on which the agents' beats are heard")
    ] = "0.0.0.0:7946"
    pulse_advertise: Annotated[
        str,
        Field(
            description="HOST:PORT to which agents send their beats; default: that of "
            "--pulse-listen, which must then name one host"
        ),
    ] = ""
    pulse_key_file: Annotated[
        KeyFilePath,
        Field(
            description="the key that agents of older versions sign their beats with; needed "
            "while such agents run, and never else"
        ),
    ] = None
    http_listen: Annotated[
        Listen, Field(description="HOST:PORT of /healthz, /readyz and /metrics")
    ] = "127.0.0.1:9480"
    page_listen: Annotated[
        Listen | None,
        Field(
            description="HOST:PORT of the live page, which shows nodes, addresses and moves to "
            "everybody who reaches it; default: none"
        ),
    ] = None
    address_info: Annotated[
        int,
        Field(
            ge=0,
            le=16384,
            description="show the metric duravip_address_info of so many addresses; 0: of none",
        ),
    ] = 0
    webhook_listen: Annotated[
        Listen | None, Field(description="HOST:PORT of the admission webhooks; default: none")
    ] = None
    webhook_cert_dir: Annotated[
        Path | None,
        Field(description="where tls.crt and tls.key of the admission webhooks are"),
    ] = None
    webhook_client_ca: Annotated[
        Path | None,
        Field(
            description="who signs the certificate by which the API server shows itself to the "
            "admission webhooks; default: anybody may ask them"
        ),
    ] = None
    mature: Annotated[
        Seconds, Field(description="a node is elected after so long without a gap in its beats")
    ] = timing.MATURE
    suspect_after: Annotated[
        Seconds,
        Field(
            description="after so long a silence a node is granted nothing new, and its "
            "neighbours are asked whether its addresses still answer"
        ),
    ] = timing.SUSPECT_AFTER
    give_up_after: Annotated[
        Seconds,
        Field(description="an address that a node fails to hold for so long moves to another one"),
    ] = 10.0
    balance_interval: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            allow_inf_nan=False,
            description="how often addresses are moved to even out the load; 0: never",
        ),
    ] = 10.0
    max_damping: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            allow_inf_nan=False,
            description="a node that is lost again within ten minutes must be well for twice as "
            "long each time before addresses return to it, but never for longer than this; "
            "0: nothing waits for that",
        ),
    ] = 300.0
    balance_set_size: Annotated[
        int,
        Field(ge=0, le=16384, description="how many move at once; 0: one in twenty, at least 1"),
    ] = 0
    fencing: Annotated[
        Literal["Segment", "Strict"],
        Field(description="how a silent node is dealt with where its Topology does not say"),
    ] = "Segment"
    ignore_exclude_label: Annotated[
        bool,
        Field(
            description="let Nodes hold addresses that carry the label node.kubernetes.io/"
            "exclude-from-external-load-balancers, as kubeadm's control-plane nodes do; "
            "`kubectl duravip drain`, which sets it to `duravip`, still counts"
        ),
    ] = False
    max_aliases: Annotated[
        int, Field(ge=1, le=16384, description="how many addresses one node may hold")
    ] = 10240
    load_balancer_class: Annotated[
        str,
        Field(
            pattern=r"^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$",
            max_length=317,
            description="the spec.loadBalancerClass of the Services of type LoadBalancer that get "
            "an address; empty: no Service does",
        ),
    ] = "duravip.io/vip"
    default_load_balancer: Annotated[
        bool,
        Field(
            description="give an address to Services of type LoadBalancer without a class as "
            "well, unless another controller serves them"
        ),
    ] = False

    @property
    def serves_load_balancers(self) -> bool:
        """Whether Services get addresses at all."""
        return bool(self.load_balancer_class)

    def published(self) -> dict[str, object]:
        """Those by which is decided: everybody who can read the Lease may know them."""
        return {
            "version": PROGRAM_VERSION,
            "maxAliases": self.max_aliases,
            "ignoreExcludeLabel": self.ignore_exclude_label,
            "fencing": self.fencing,
            "mature": self.mature,
            "suspectAfter": self.suspect_after,
            "giveUpAfter": self.give_up_after,
            "balanceInterval": self.balance_interval,
            "balanceSetSize": self.balance_set_size,
            "loadBalancerClass": self.load_balancer_class,
            "defaultLoadBalancer": self.default_load_balancer,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.suspect_after < LEAST_SUSPECT_AFTER:
            raise ValueError(f"--suspect-after must be at least {LEAST_SUSPECT_AFTER:g}")
        if (self.webhook_listen is None) != (self.webhook_cert_dir is None):
            raise ValueError("--webhook-listen and --webhook-cert-dir go together")
        if self.webhook_client_ca and not self.webhook_listen:
            raise ValueError("--webhook-client-ca needs --webhook-listen")
        if self.default_load_balancer and not self.serves_load_balancers:
            raise ValueError("--default-load-balancer needs a --load-balancer-class")
        for name in ("tls.crt", "tls.key") if self.webhook_cert_dir else ():
            if not Path(self.webhook_cert_dir or "", name).is_file():
                raise ValueError(f"--webhook-cert-dir: there is no {name} in it")
        self.__dict__["pulse_advertise"] = _advertised(self.pulse_advertise, self.pulse_listen)
        return self


def _advertised(given: str, listen: str) -> str:
    if not given and parse_endpoint(listen).is_wildcard:
        raise ValueError(
            f"--pulse-advertise is required: agents cannot send beats to {listen!r}, which "
            "--pulse-listen names"
        )
    try:
        found = parse_endpoint(given or listen)
    except ValueError as error:
        raise ValueError(f"--pulse-advertise: {error}, not {given!r}") from error
    if found.is_wildcard or not found.port:
        raise ValueError(f"--pulse-advertise: must name one host and port, not {found}")
    return str(found)


def settings_from(arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line about everything that is wrong."""
    return parse_settings(Settings, "duravip-operator", arguments)
