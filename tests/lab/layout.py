"""The names, addresses and folders of a lab: all that two labs must not share.

Everything that a lab makes carries its name, so that whatever a dead run left behind is found
again by looking, not by remembering.
"""

import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lab.errors import LabError

HOME: Final = Path(os.environ.get("DURAVIP_LAB_HOME", "/var/tmp/duravip-lab"))  # noqa: S108 (root's)
"""Not below /tmp or /run, which a machine has of its own."""
NAMESPACES: Final = Path("/run/netns")
PREFIX: Final = "duravip"

CONTROL_PLANE: Final = "cp"
CLIENT: Final = "client"
SWITCH: Final = "switch"

MTU: Final = 1400
API_ADDRESS: Final = "10.77.0.10"
API_PORT: Final = 6443
API_URL: Final = f"https://{API_ADDRESS}:{API_PORT}"
GATEWAY: Final = "10.77.0.1"
"""Nobody has it: the kubelet and the API server only want a default route."""
SERVICES: Final = ("10.96.0.0/16", "fd00:96::/112")
"""What Services get addresses of, IPv4 unless they ask for both families."""
SERVICE_ADDRESS: Final = "10.96.0.1"

CONTROL: Final = "control"
SEGMENT: Final = "segment"
SECOND: Final = "second"
"""A second segment, for what follows from one network to another."""
OTHER_HALF: Final = "segment-b"
"""Where the machines of the other half are plugged while the segment is split."""

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,23}")


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card: its name in the machine, the bridge that it belongs to, its addresses."""

    name: str
    bridge: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the things of the lab with this name are."""

    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise LabError(
                f"cannot call a lab {self.name!r}: it takes up to 24 small letters, digits and -"
            )

    @property
    def home(self) -> Path:
        """The folder that holds the lab's state."""
        return HOME / self.name

    @property
    def mark(self) -> str:
        """What the names of all that it makes start with, followed by a dot."""
        return f"{PREFIX}.{self.name}"

    def namespace(self, machine: str) -> str:
        """The name of a machine's network namespace."""
        return f"{self.mark}.{machine}"

    def namespace_file(self, machine: str) -> Path:
        """The file that stands for a machine's network namespace."""
        return NAMESPACES / self.namespace(machine)

    def folder(self, machine: str) -> Path:
        """A machine's folder: its logs, and what survives a crash."""
        return self.home / machine

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a user or machine."""
        return self.home / f"{user}.kubeconfig"


def mac(machine: str, nic: str) -> str:
    """The address of a card: always the same one, as a real card keeps its own over a reboot."""
    return "02:" + blake2b(f"{machine}/{nic}".encode(), digest_size=5).digest().hex(":")


def control_address(number: int) -> str:
    """The address of node `number` on the control network."""
    return f"10.77.0.{node_host(number)}"


def node_host(number: int) -> int:
    """The last part of node `number`'s addresses, on every network."""
    return 10 + number


def node_nics(number: int) -> tuple[Nic, ...]:
    """The network cards of node `number`, counted from 1."""
    host = node_host(number)
    return (
        Nic("eth0", CONTROL, (f"{control_address(number)}/24",)),
        Nic("eth1", SEGMENT, (f"10.1.0.{host}/16", f"fd00:1::{host}/64")),
    )


def second_address6(number: int) -> str:
    """The IPv6 address of node `number` on the second segment."""
    return f"fd00:2::{node_host(number)}"


def second_nic(host: int) -> Nic:
    """The card of host `host` on the second segment."""
    return Nic("eth2", SECOND, (f"10.2.0.{host}/16", f"fd00:2::{host}/64"))


CONTROL_PLANE_NICS: Final = (Nic("eth0", CONTROL, (f"{API_ADDRESS}/24",)),)
CLIENT_HOST: Final = 100
CLIENT_NICS: Final = (
    Nic("eth1", SEGMENT, (f"10.1.0.{CLIENT_HOST}/16", f"fd00:1::{CLIENT_HOST}/64")),
)
