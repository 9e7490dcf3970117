"""The settings: from the command line, else from the environment (`DURAVIP_<NAME>`)."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from duravip_api.timing import ANNOUNCE_EVERY, DEAD_MAN
from duravip_runtime.endpoints import parse_endpoint
from duravip_runtime.environment import PREFIX

PROGRAM_VERSION = version("duravip")


class SettingsError(Exception):
    """The program cannot start as it was called; the message is one line."""


def _endpoint(text: str) -> str:
    parse_endpoint(text)
    return text


class Settings(BaseSettings):
    """What can be set. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    node_name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="the name of the Node that the agent runs on",
        ),
    ]
    kubeconfig: Annotated[
        Path | None,
        Field(description="how to reach the API server; default: the pod's own identity"),
    ] = None
    pulse_key_file: Annotated[
        Path | None,
        Field(
            description="the key that operators of older versions know beats by; needed "
            "while such operators run, and never else"
        ),
    ] = None
    http_listen: Annotated[
        str,
        AfterValidator(_endpoint),
        Field(description="where /healthz, /readyz and /metrics are answered"),
    ] = "127.0.0.1:9481"
    announce_every: Annotated[
        float,
        Field(ge=1, le=3600, description="how often a served address is announced again"),
    ] = ANNOUNCE_EVERY
    clean_slate: Annotated[
        Literal["granted", "all"],
        Field(
            description="which addresses left by an earlier run are removed at the start: those "
            "that are not granted any more, or all"
        ),
    ] = "granted"
    dead_man_after: Annotated[
        float,
        Field(
            ge=0.2, le=5, description="how long a node may be heard whose agent is dead or hangs"
        ),
    ] = DEAD_MAN
    allow_unfenced: Annotated[
        bool,
        Field(
            description="start also where the kernel cannot mute the addresses of an agent that "
            "is dead or hangs: two nodes may then answer for one address"
        ),
    ] = False
    log_format: Annotated[
        Literal["text", "json"], Field(description="one line a change, in this form")
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least that is logged")
    ] = "info"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(message)


def settings_from(arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line about everything that is wrong."""
    given = vars(_parser().parse_args(arguments))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_said(problem, given) for problem in error.errors())
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="duravip-agent",
        description="Plumbs the virtual addresses that its node is granted, and announces them.",
        epilog=f"Each option can also be set in the environment, e.g. {PREFIX}NODE_NAME. "
        "Exit codes: 0 asked to stop, 2 bad settings or a missing permission, 1 anything else.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=PROGRAM_VERSION)
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else f"default: {field.default}"
        shown = "" if field.default is None else f" ({default})"
        if field.annotation is bool:
            parser.add_argument(_option(name), action="store_true", help=field.description)
            continue
        parser.add_argument(
            _option(name),
            metavar=_metavar(name, field.annotation),
            help=f"{field.description}{shown}",
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
    if name.endswith("listen"):
        return "HOST:PORT"
    return "FILE" if name in {"kubeconfig", "pulse_key_file"} else "NAME"


def _said(problem: Any, given: dict[str, str]) -> str:
    name = str(problem["loc"][0]).removeprefix(PREFIX.lower())
    where = _option(name) if name in given or problem["type"] == "missing" else _variable(name)
    if problem["type"] == "missing":
        return f"{where} (or {_variable(name)}) is required"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}"


def _variable(name: str) -> str:
    return PREFIX + name.upper()
