"""The settings of both programs: from the command line, else from the environment.

An option `--pulse-listen` is the variable `DURAVIP_PULSE_LISTEN`. The parsing is that of
pydantic-settings; here are HOST:PORT, the fields that both programs have, and errors as one line.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as ParsingError

MAX_PORT = 65535
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class Endpoint(NamedTuple):
    """HOST:PORT: where a socket listens, or is reached."""

    host: str
    """An address, or a name; an IPv6 address without brackets."""
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine, so that nobody can send to it."""
        return self.host in {"", "0.0.0.0", "::"}  # noqa: S104 - only compared

    @property
    def is_numeric(self) -> bool:
        """Whether the host is an address, which needs no look-up."""
        return _is_address(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read HOST:PORT or [IPV6]:PORT; raises ValueError with what is wrong about it.

    Port 0 stands for any that is free: to listen on, never to send to.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > MAX_PORT:
        raise ValueError("must be HOST:PORT")
    if host.startswith("[") and host.endswith("]") and ":" in host:
        if not _is_address(host[1:-1]):
            raise ValueError("must be HOST:PORT")
        return Endpoint(str(ip_address(host[1:-1])), int(port))
    if ":" in host:
        raise ValueError("an IPv6 address must be in brackets: [ADDRESS]:PORT")
    if not _NAME.fullmatch(host):
        raise ValueError("must be HOST:PORT")
    return Endpoint(host, int(port))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


PROGRAM_VERSION: Final = version("duravip")
PREFIX: Final = "DURAVIP_"


class SettingsError(Exception):
    """The program cannot start as it was called; the message is one line."""


Listen = Annotated[str, AfterValidator(lambda text: str(parse_endpoint(text)))]
"""HOST:PORT, in its canonical form."""


class LoggedSettings(BaseSettings):
    """What can be set for each program. Its docstring is the text of `--help`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
        cli_hide_none_type=True,
        cli_implicit_flags="toggle",
    )

    log_format: Annotated[
        Literal["text", "json"], Field(description="one line a change, in this form")
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least that is logged")
    ] = "info"


class ProgramSettings(LoggedSettings):
    """What can be set for each program that speaks to the API server."""

    kubeconfig: Annotated[
        Path | None,
        Field(description="how to reach the API server; default: the pod's own identity"),
    ] = None


Settings = TypeVar("Settings", bound=LoggedSettings)


def parse_settings(kind: type[Settings], program: str, arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line that names everything that is wrong.

    `--help` and `--version` print and end the program.
    """
    if "--version" in arguments:
        sys.stdout.write(f"{PROGRAM_VERSION}\n")
        sys.exit(0)
    try:
        source: CliSettingsSource[Any] = CliSettingsSource(
            kind, cli_prog_name=program, cli_parse_args=arguments, formatter_class=_HelpFormatter
        )
        return kind(_cli_settings_source=source)  # type: ignore[call-arg] # mypy sees only fields
    except ParsingError as error:
        raise SettingsError(str(error).removeprefix("error parsing CLI: ")) from error
    except ValidationError as error:
        problems = (_described(problem, arguments) for problem in error.errors())
        raise SettingsError("; ".join(problems)) from error


def unknown_variables(variables: Iterable[str], options: Iterable[str]) -> str:
    """One line about the variables that look like ours and set no option; empty: there are none.

    They do not end the start, as a wrong option does: the other program's may stand beside ours.
    """
    known = {PREFIX + option.upper() for option in options}
    strange = sorted(v for v in variables if v.startswith(PREFIX) and v.upper() not in known)
    return f"ignored, for there is no such setting: {', '.join(strange)}" if strange else ""


class _HelpFormatter(argparse.HelpFormatter):
    """Leaves out defaults that say nothing, such as `None`."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return re.sub(r" \(default( factory: \S+|: (None|False)?)\)$", "", action.help or "")


def _described(problem: Any, arguments: list[str]) -> str:
    why = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return str(why)
    name = str(problem["loc"][0]).lower().replace("-", "_").removeprefix(PREFIX.lower())
    option, variable = f"--{name.replace('_', '-')}", PREFIX + name.upper()
    if problem["type"] == "missing":
        return f"{option} (or {variable}) is required"
    is_option = any(a.partition("=")[0] == option for a in arguments)
    return f"{option if is_option else variable}: {why}, not {str(problem['input'])!r}"
