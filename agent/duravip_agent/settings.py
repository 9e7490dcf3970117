"""What can be set for the agent."""

from typing import Annotated, Literal

from pydantic import Field

from duravip_api.timing import ANNOUNCE_EVERY, DEAD_MAN
from duravip_runtime.key_file import KeyFilePath
from duravip_runtime.local_endpoint import LocalGroup, LocalListen
from duravip_runtime.settings import Listen, ProgramSettings, parse_settings


class Settings(ProgramSettings):
    """Plumbs the virtual addresses that its node is granted, and announces them.

    Each option can also be set in the environment, e.g. DURAVIP_NODE_NAME. Times are in seconds,
    and `--version` tells which version this is. Exit codes: 0 asked to stop, 2 bad settings or a
    missing permission, 1 anything else.
    """

    node_name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="the name of the Node that the agent runs on",
        ),
    ]
    pulse_key_file: Annotated[
        KeyFilePath,
        Field(
            description="the key that operators of older versions know beats by; needed "
            "while such operators run, and never else"
        ),
    ] = None
    http_listen: Annotated[
        Listen,
        Field(description="where /healthz, /readyz and /metrics are answered"),
    ] = "127.0.0.1:9481"
    local_listen: Annotated[
        LocalListen,
        Field(
            description="where programs of this node are told which addresses it serves: "
            "unix:/PATH, or HOST:PORT of loopback; empty: nowhere"
        ),
    ] = ""
    local_group: Annotated[
        LocalGroup,
        Field(description="the group, by name or number, whose members may use that Unix socket"),
    ] = ""
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


def settings_from(arguments: list[str]) -> Settings:
    """The settings; raises SettingsError with one line about everything that is wrong."""
    return parse_settings(Settings, "duravip-agent", arguments)
