"""What can be set for `duravip-hooks`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from duravip_runtime.local_endpoint import LocalAddress
from duravip_runtime.settings import LoggedSettings, parse_settings


class Settings(LoggedSettings):
    """Runs executables when addresses come to this node, or leave it.

    For each event the executables NN.NAME of a folder run in order, one at a time:
    `NN.NAME gained ADDRESS INTERFACE`, `NN.NAME lost ADDRESS INTERFACE`, and, when there are no
    more of these, `NN.NAME settled` with all addresses of the node on its standard input, one a
    line.
    Each option can also be set in the environment, e.g. DURAVIP_HOOK_TIMEOUT. Exit codes: 0 asked
    to stop, 2 bad settings, 1 anything else.
    """

    agent: Annotated[
        LocalAddress,
        Field(description="where the agent's local API is: its socket, or HOST:PORT of loopback"),
    ] = "unix:/run/duravip/agent.sock"
    dir: Annotated[
        Path, Field(description="the folder of the executables; it is read for each event")
    ] = Path("/etc/duravip/hooks.d")
    hook_timeout: Annotated[
        float,
        Field(
            ge=0.1,
            le=3600,
            description="how long one of them may run, in seconds, before it is killed with all "
            "that it has started",
        ),
    ] = 10.0


def settings_from(arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line about everything that is wrong."""
    return parse_settings(Settings, "duravip-hooks", arguments)
