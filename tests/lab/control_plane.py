"""The control plane: one machine with etcd and the API server, and what a full one has besides."""

import shutil
import ssl
from collections.abc import Sequence
from contextlib import closing
from http.client import OK, HTTPException, HTTPSConnection
from pathlib import Path

from lab.door import Door
from lab.errors import LabError
from lab.layout import (
    API_ADDRESS,
    API_PORT,
    CONTROL_PLANE,
    CONTROL_PLANE_NICS,
    SERVICES,
    Layout,
)
from lab.machines import Blueprint, Machine
from lab.network import Network
from lab.pki import Pki
from lab.processes import Process, wait_for

ETCD = "http://127.0.0.1:2379"
ETCD_PEERS = "http://127.0.0.1:2380"
FOR_EVER = 'while :; do "$@"; echo "$1 ended with $?"; sleep 1; done'
TOLERATION = 10
GRACE = 8
"""Seconds without a kubelet's sign of life after which a node is NotReady."""


class ControlPlane:
    """The control plane of one lab; `machine` is where it runs."""

    def __init__(
        self, layout: Layout, network: Network, programs: Path, routes: Sequence[str]
    ) -> None:
        """`routes` lead to the pods of the full size; the other one has none."""
        self.machine = Machine(Blueprint(CONTROL_PLANE, CONTROL_PLANE_NICS), layout, network)
        self.door = Door(layout)
        self._pki = Pki(layout)
        self._layout = layout
        self._programs = programs
        self._routes = routes
        self.etcd: Process
        self.api_server: Process
        """Kill it, stop it, let it go on as you like; `start_api_server` starts a new one."""

    def power_on(self) -> None:
        """Start the machine and its programs; the API answers when this returns."""
        self.boot()
        self.wait_until_ready()
        self.start_controllers()

    def boot(self) -> None:
        """Start the machine, etcd and the API server, which is not ready yet."""
        self.machine.power_on()
        for route in self._routes:
            self.machine.run(["ip", "route", "add", *route.split()])
        self.etcd = self._start("etcd", self._etcd_flags())
        self.start_api_server()

    def start_api_server(self) -> None:
        """Start the API server; it takes two or three seconds until it is ready."""
        self.api_server = self._start("kube-apiserver", self._api_server_flags())

    def back_up(self) -> None:
        """Keep etcd's files as they are at this moment."""
        self.etcd.stop()
        shutil.rmtree(self._backup, ignore_errors=True)
        shutil.copytree(self._data, self._backup)
        self.etcd.resume()

    def restore(self) -> None:
        """Go back to the backup, as its manual says: API server and etcd stand still meanwhile."""
        self.api_server.kill()
        self.etcd.kill()
        shutil.rmtree(self._data)
        shutil.copytree(self._backup, self._data)
        self.etcd = self._start("etcd", self._etcd_flags())
        self.start_api_server()

    @property
    def _data(self) -> Path:
        return self.machine.folder / "etcd"

    @property
    def _backup(self) -> Path:
        return self.machine.folder / "etcd.backup"

    def wait_until_ready(self, timeout: float = 60) -> None:
        """Wait until the API server has done all that it does at start."""
        trusted = ssl.create_default_context(cafile=str(self._pki.file("ca.crt")))
        address = self.door.url.removeprefix("https://")

        def is_ready() -> bool:
            if not self.api_server.is_running:
                last = self.api_server.output().strip().splitlines()[-1:]
                raise LabError(f"the API server has ended: {' '.join(last)}")
            with closing(HTTPSConnection(address, timeout=2, context=trusted)) as connection:
                try:
                    connection.request("GET", "/readyz")
                    return connection.getresponse().status == OK
                except (OSError, HTTPException):
                    return False

        wait_for(is_ready, "the API server is ready", timeout, every=0.05)

    def start_controllers(self) -> None:
        """Start what the full size has besides, when the API server is ready.

        Earlier they would end, for want of the roles that it makes at start; so they may when it
        ends: each is started again whenever it has ended.
        """
        if not self._routes:
            return
        for program, flags in (
            ("kube-controller-manager", self._controller_manager_flags()),
            ("kube-scheduler", []),
        ):
            kubeconfig = self._layout.kubeconfig(program)
            argv = ["sh", "-c", FOR_EVER, program, str(self._programs / program)]
            argv += [f"--{use}kubeconfig={kubeconfig}" for use in _KUBECONFIG_USES]
            argv += ["--leader-elect=false", "--bind-address=127.0.0.1", "--profiling=false"]
            self.machine.spawn([*argv, *flags], log=self.machine.folder / f"{program}.log")

    def _start(self, program: str, flags: list[str]) -> Process:
        return self.machine.spawn([str(self._programs / program), *flags])

    def _etcd_flags(self) -> list[str]:
        return [
            "--name=cp",
            f"--data-dir={self._data}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={ETCD_PEERS}",
            f"--initial-advertise-peer-urls={ETCD_PEERS}",
            f"--initial-cluster=cp={ETCD_PEERS}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server_flags(self) -> list[str]:
        pki = self._pki.file
        return [
            f"--etcd-servers={ETCD}",
            "--bind-address=0.0.0.0",
            f"--secure-port={API_PORT}",
            f"--advertise-address={API_ADDRESS}",
            "--endpoint-reconciler-type=lease",
            f"--service-cluster-ip-range={','.join(SERVICES)}",
            f"--tls-cert-file={pki('apiserver.crt')}",
            f"--tls-private-key-file={pki('apiserver.key')}",
            f"--client-ca-file={pki('ca.crt')}",
            f"--kubelet-client-certificate={pki('kubelet-client.crt')}",
            f"--kubelet-client-key={pki('kubelet-client.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki('sa.crt')}",
            f"--service-account-signing-key-file={pki('sa.key')}",
            f"--token-auth-file={pki('tokens.csv')}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--default-not-ready-toleration-seconds={TOLERATION}",
            f"--default-unreachable-toleration-seconds={TOLERATION}",
            "--profiling=false",
            # Webhooks are asked at their pods' addresses: nothing here knows those of Services.
            f"--enable-aggregator-routing={'true' if self._routes else 'false'}",
        ]

    def _controller_manager_flags(self) -> list[str]:
        pki = self._pki.file
        return [
            f"--service-account-private-key-file={pki('sa.key')}",
            f"--root-ca-file={pki('ca.crt')}",
            "--use-service-account-credentials=true",
            f"--cluster-signing-cert-file={pki('ca.crt')}",
            f"--cluster-signing-key-file={pki('ca.key')}",
            "--allocate-node-cidrs=false",
            f"--flex-volume-plugin-dir={self.machine.folder / 'volume-plugins'}",  # it makes it
            "--node-monitor-period=1s",
            f"--node-monitor-grace-period={GRACE}s",
        ]


_KUBECONFIG_USES = ("", "authentication-", "authorization-")
