"""Nodes on one segment, without Kubernetes, and a host outside: what the mail tests run on."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab import requirements, teardown
from lab.keeper import Keeper
from lab.layout import CLIENT, CLIENT_NICS, SEGMENT, Layout, Nic, node_host
from lab.machines import Blueprint, Machine
from lab.network import Network
from lab.processes import run

OUTSIDE: Final = "10.1.0.100"
OUTSIDE_V6: Final = "fd00:1::100"
NAMES: Final = "127.0.0.1 localhost\nfd00:1::100 six.example\n10.1.0.100 four.example\n"


class Segment:
    """`with Segment(2) as segment: …`: machines n1, n2, … and `client`, the host outside."""

    def __init__(self, nodes: int) -> None:
        self.layout = Layout(f"mail-{secrets.token_hex(3)}")
        self.network = Network(self.layout)
        hosts = self.layout.home / "hosts"
        self.nodes = [
            Machine(
                Blueprint(
                    f"n{number}", (_nic(number),), binds=((hosts, Path("/etc/hosts")),)
                ),
                self.layout,
                self.network,
            )
            for number in range(1, nodes + 1)
        ]  # fmt: skip
        self.outside = Machine(Blueprint(CLIENT, CLIENT_NICS), self.layout, self.network)

    def __enter__(self) -> Self:
        requirements.ensure("mail")
        self.layout.home.mkdir(parents=True)
        self._keeper = Keeper(self.layout.name)
        try:
            (self.layout.home / "hosts").write_text(NAMES)
            self.network.create()
            for machine in self._machines:
                machine.power_on()
            self.tls = make_authority(self.layout.home / "tls")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def _machines(self) -> Sequence[Machine]:
        return (*self.nodes, self.outside)

    def _end(self) -> None:
        teardown.tear_down(self.layout)
        for machine in self._machines:
            machine.reap()
        self._keeper.dismiss()


def _nic(number: int) -> Nic:
    host = node_host(number)
    return Nic("eth1", SEGMENT, (f"10.1.0.{host}/16", f"fd00:1::{host}/64"))


def make_authority(folder: Path) -> Path:
    """An authority, and one certificate by it for nodes: ca.crt, tls.crt, tls.key."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    authority = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=mail", "-days", "2"]
    _openssl(folder, "req", "-x509", *key, *authority)
    request = ["-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=mmove.duravip.internal"]
    _openssl(folder, "req", *key, *request)
    (folder / "ext").write_text(
        "subjectAltName=DNS:mmove.duravip.internal\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"]
    _openssl(folder, "x509", "-req", "-in", "tls.csr", "-out", "tls.crt", "-days", "2", *signed)
    return folder


def _openssl(folder: Path, *words: str) -> None:
    run(["env", "--chdir", str(folder), "openssl", *words])
