"""The settings of both programs: from the command line, else from the environment.

An option `--pulse-listen` is the variable `DURAVIP_PULSE_LISTEN`. The parsing is that of
pydantic-settings; here are the fields that both programs have, and errors as one line.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as ParsingError

from duravip_runtime.endpoints import parse_endpoint

PROGRAM_VERSION: Final = version("duravip")
PREFIX: Final = "DURAVIP_"


class SettingsError(Exception):
    """The program cannot start as it was called; the message is one line."""


def _canonical(text: str) -> str:
    return str(parse_endpoint(text))


Listen = Annotated[str, AfterValidator(_canonical)]
"""HOST:PORT, in its canonical form."""


class ProgramSettings(BaseSettings):
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

    kubeconfig: Annotated[
        Path | None,
        Field(description="how to reach the API server; default: the pod's own identity"),
    ] = None
    log_format: Annotated[
        Literal["text", "json"], Field(description="one line a change, in this form")
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least that is logged")
    ] = "info"


Settings = TypeVar("Settings", bound=ProgramSettings)


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
