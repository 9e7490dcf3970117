"""What can be set for `duravip-mail`, for each of its verbs."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import CliPositionalArg

from duravip_api.fields import parse_duration
from duravip_mail.bindings import parse_name
from duravip_mail.core.postfix_config import MailNode
from duravip_runtime.local_endpoint import LocalAddress
from duravip_runtime.settings import Listen, LoggedSettings, parse_settings

VERBS: Final = ("run", "configure", "mailq", "moves", "rebind")
_PATH: Final = re.compile(r"/[A-Za-z0-9._/-]+")


def _plain(path: Path) -> Path:
    """Postfix' files have no quotes."""
    if not _PATH.fullmatch(str(path)):
        raise ValueError("must be an absolute path of letters, digits, '.', '_' and '-'")
    return path


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _addresses(text: str) -> str:
    found = [ip_address(part) for part in text.split(",")]
    if len({address.version for address in found}) < len(found):
        raise ValueError("must have one address of each family at most")
    return ",".join(map(str, found))


def _networks(text: str) -> str:
    return ",".join(str(ip_network(part)) for part in text.split(",") if part)


def _aliases(text: str) -> str:
    for pair in text.split(",") if text else ():
        old, equals, new = pair.partition("=")
        if not equals:
            raise ValueError("must be OLD=NEW, with commas between them")
        parse_name(old)
        parse_name(new)
    return text


PlainPath = Annotated[Path, AfterValidator(_plain)]
"""An absolute path that can stand in Postfix' configuration as it is."""
Addresses = Annotated[str, AfterValidator(_addresses)]
"""One address, or an IPv4 and an IPv6 address with a comma between them."""
Networks = Annotated[str, AfterValidator(_networks)]
"""Addresses or blocks, with commas between them; may be empty."""
Aliases = Annotated[str, AfterValidator(_aliases)]
"""OLD=NEW, with commas between them; may be empty."""

FOLDER: Final = Path("/var/lib/duravip-mail")


class FolderSettings(LoggedSettings):
    """What all verbs need."""

    folder: Annotated[
        PlainPath,
        Field(
            description="where Postfix' configuration, queue and log are; it must be on a disk "
            "of the node, and be there again after a crash"
        ),
    ] = FOLDER
    bindings_file: Annotated[
        PlainPath,
        Field(
            description="the Bindings, as a JSON list of objects with name, address, group, "
            "suspended, broken, managed, aliases and listeners; read again when it changes"
        ),
    ] = FOLDER / "bindings.json"


class Settings(FolderSettings):
    """Keeps a node's Postfix in step with the addresses that the node serves.

    Each option can also be set in the environment, e.g. DURAVIP_NODE_NAME. Exit codes: 0 asked to
    stop, 2 bad settings, 1 anything else.
    """

    node_name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="the name of the Node, which is Postfix' own name as well",
        ),
    ]
    node_addresses: Annotated[
        Addresses,
        Field(
            description="the node's own address, or one of each family with a comma between "
            "them: mail without a Binding leaves from it"
        ),
    ]
    bindings_from: Annotated[
        Literal["file", "cluster"],
        Field(
            description="who writes --bindings-file: somebody else; or this program, which then "
            "watches the Bindings of a cluster"
        ),
    ] = "file"
    kubeconfig: Annotated[
        Path | None,
        Field(
            description="how to reach the cluster's API server; default: the pod's own identity"
        ),
    ] = None
    aliases: Annotated[
        Aliases,
        Field(
            description="former names of Bindings of a cluster, as OLD=NEW with commas between "
            "them: mail that has the old name is mail of the new one"
        ),
    ] = ""
    agent: Annotated[LocalAddress, Field(description="the agent's local API")] = (
        "unix:/run/duravip/agent.sock"
    )
    tls: Annotated[
        PlainPath,
        Field(
            description="the folder with ca.crt, tls.crt and tls.key; the certificate is for "
            "mmove.duravip.internal"
        ),
    ] = Path("/etc/duravip/mail-tls")
    networks: Annotated[
        Networks, Field(description="who may inject mail: addresses and blocks, with commas")
    ] = ""
    header_trust: Annotated[
        Networks,
        Field(
            description="who may inject at port 2525, and name a Binding there by the field "
            "X-DuraVIP-Binding: addresses and blocks, with commas"
        ),
    ] = ""
    assign_file: Annotated[
        PlainPath | None,
        Field(
            description="which Binding mail gets when it enters: a JSON list of rules, first fit, "
            "with sender, listener, user, and binding or group"
        ),
    ] = None
    binding_options_file: Annotated[
        PlainPath | None,
        Field(
            description="more options of single Bindings: a JSON object with, by name, helo and "
            "postfix, an object with parameters of smtp(8)"
        ),
    ] = None
    postfix_file: Annotated[PlainPath | None, Field(description="more lines of main.cf")] = None
    http_listen: Annotated[
        Listen, Field(description="where /healthz, /readyz and /metrics are answered")
    ] = "127.0.0.1:9482"


class MailqSettings(FolderSettings):
    """Shows the queue of this node, by Binding and domain."""

    node_name: Annotated[str, Field(description="the name of the Node")] = "-"
    output: Annotated[
        Literal["table", "json"], Field(description="a table, or a JSON list (also -o)")
    ] = "table"


class MovesSettings(MailqSettings):
    """Shows which messages this node has handed over to others, or has tried to."""

    since: Annotated[
        str, AfterValidator(_duration), Field(description="how long ago at most, e.g. 30m or 24h")
    ] = "1h"
    limit: Annotated[int, Field(ge=1, le=100_000, description="the most, the latest")] = 10_000


class RebindSettings(FolderSettings):
    """Has all queued mail of a Binding looked at again, as if it had just entered."""

    name: Annotated[CliPositionalArg[str], Field(description="a Binding's name")] = ""
    all: Annotated[
        bool, Field(description="of every Binding: each message is written once more")
    ] = False

    @model_validator(mode="after")
    def _one_of_both(self) -> "RebindSettings":
        if bool(self.name) == self.all:
            raise ValueError("a Binding's name or --all is required, and not both")
        return self


def settings_from(verb: str, arguments: list[str]) -> FolderSettings:
    """The settings of a verb; raises SettingsError with one line about all that is wrong."""
    program = f"duravip-mail {verb}"
    if verb in {"mailq", "moves"}:
        words = ["--output" if word == "-o" else word for word in arguments]
        return parse_settings(MailqSettings if verb == "mailq" else MovesSettings, program, words)
    if verb == "rebind":
        return parse_settings(RebindSettings, program, arguments)
    return parse_settings(Settings, program, arguments)


def mail_node(
    settings: Settings,
    extra: str = "",
    binding_options: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MailNode:
    """What Postfix' configuration is made of.

    `extra` are further lines of main.cf, `binding_options` further options by Binding.
    """
    return MailNode(
        name=settings.node_name,
        addresses=tuple(settings.node_addresses.split(",")),
        folder=str(settings.folder),
        tls=str(settings.tls),
        networks=_in_postfix(settings.networks),
        header_trust=_in_postfix(settings.header_trust),
        assigns=settings.assign_file is not None or settings.bindings_from == "cluster",
        extra=tuple(extra.splitlines()),
        binding_options=binding_options,
    )


def former_names(settings: Settings) -> Mapping[str, str]:
    """By former name of a Binding: the present one."""
    pairs = (pair.partition("=") for pair in settings.aliases.split(",") if pair)
    return {old: new for old, _, new in pairs}


def _in_postfix(networks: str) -> tuple[str, ...]:
    """As mynetworks has them: an IPv6 address stands in brackets."""
    parts = (part.partition("/") for part in networks.split(",") if part)
    return tuple(f"[{a}]/{length}" if ":" in a else f"{a}/{length}" for a, _, length in parts)
