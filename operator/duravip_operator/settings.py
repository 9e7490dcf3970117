"""The settings: from the command line, else from the environment (`DURAVIP_<NAME>`)."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from duravip_api import timing
from duravip_api.heartbeat import parse_keys
from duravip_operator import endpoints
from duravip_runtime.endpoints import parse_endpoint
from duravip_runtime.environment import PREFIX

PROGRAM_VERSION = version("duravip")


LEAST_SUSPECT_AFTER = 1.2 * timing.BEAT
"""Less would make a suspect of whoever beats in time."""


FILES = {"kubeconfig", "pulse_key_file", "webhook_client_ca"}


class SettingsError(Exception):
    """The program cannot start as it was called; the message is one line."""


def _canonical(text: str) -> str:
    return str(parse_endpoint(text))


def _keyed(path: Path | None) -> Path | None:
    try:
        if path:
            parse_keys(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"cannot be read: {why}") from error
    return path


Listen = Annotated[str, AfterValidator(_canonical)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What can be set. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kubeconfig: Annotated[
        Path | None,
        Field(description="how to reach the API server; default: the pod's own identity"),
    ] = None
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
            default_factory=endpoints.own_name,
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
        Path | None,
        AfterValidator(_keyed),
        Field(
            description="the key that agents of older versions sign their beats with; needed "
            "while such agents run, and never else"
        ),
    ] = None
    http_listen: Annotated[
        Listen, Field(description="HOST:PORT of /healthz, /readyz and /metrics")
    ] = "127.0.0.1:9480"
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
        Seconds, Field(description="how often addresses are moved to even out the load")
    ] = 10.0
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
    log_format: Annotated[
        Literal["text", "json"], Field(description="one line a change, in this form")
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least that is logged")
    ] = "info"

    def published(self) -> dict[str, object]:
        """Those by which is decided: everybody who can read the Lease may know them."""
        return {
            "maxAliases": self.max_aliases,
            "ignoreExcludeLabel": self.ignore_exclude_label,
            "fencing": self.fencing,
            "mature": self.mature,
            "suspectAfter": self.suspect_after,
            "giveUpAfter": self.give_up_after,
            "balanceInterval": self.balance_interval,
            "balanceSetSize": self.balance_set_size,
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.suspect_after < LEAST_SUSPECT_AFTER:
            raise ValueError(f"--suspect-after must be at least {LEAST_SUSPECT_AFTER:g}")
        if (self.webhook_listen is None) != (self.webhook_cert_dir is None):
            raise ValueError("--webhook-listen and --webhook-cert-dir go together")
        if self.webhook_client_ca and not self.webhook_listen:
            raise ValueError("--webhook-client-ca needs --webhook-listen")
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(message)


def parsed(arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line about everything that is wrong."""
    given = vars(_parser().parse_args(arguments))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_said(p, given) for p in error.errors())) from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="duravip-operator",
        description="Elects one owner for every virtual address and tells its node to plumb it.",
        epilog=f"Each option can also be set in the environment, e.g. {PREFIX}NAMESPACE. "
        "Exit codes: 0 asked to stop, 2 bad settings or a missing permission, 1 anything else.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=PROGRAM_VERSION)
    for name, field in Settings.model_fields.items():
        if field.annotation is bool:
            parser.add_argument(_option(name), action="store_true", help=field.description)
            continue
        default = "required" if field.is_required() else f"default: {field.default}"
        said = field.is_required() or (
            not field.default_factory and field.default not in {None, ""}
        )
        parser.add_argument(
            _option(name),
            metavar=_metavar(name, field.annotation),
            help=f"{field.description}{f' ({default})' if said else ''}",
        )
    return parser


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _metavar(name: str, annotation: Any) -> str:
    choices = getattr(annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "|".join(choices)
    if annotation is float:
        return "SECONDS"
    if name.endswith(("listen", "advertise")):
        return "HOST:PORT"
    return "FILE" if name in FILES else name.rpartition("_")[2].upper()


def _said(problem: Any, given: dict[str, str]) -> str:
    why = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return str(why)
    name = str(problem["loc"][0]).lower().removeprefix(PREFIX.lower())
    variable = PREFIX + name.upper()
    if problem["type"] == "missing":
        return f"{_option(name)} (or {variable}) is required"
    return f"{_option(name) if name in given else variable}: {why}, not {str(problem['input'])!r}"
