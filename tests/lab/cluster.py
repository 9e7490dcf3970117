"""A lab as a whole: its machines, its control plane, its client."""

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kubernetes import client, config

from lab import programs, requirements, teardown
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.keeper import Keeper
from lab.kubectl import Kubectl
from lab.kubelet import KubeletNodes, load_images
from lab.kubelet_settings import pod_routes
from lab.layout import API_URL, CLIENT, CLIENT_HOST, CLIENT_NICS, SEGMENT, Layout, second_nic
from lab.machines import Blueprint, Machine
from lab.network import Network
from lab.nodes import BareNodes, Nodes, node_name
from lab.observer.observation import Observation, Pace
from lab.pki import ADMIN, INSIDE, Pki

CRDS: Final = Path(__file__).parents[2] / "crds"
SIZES: Final[dict[str, type[Nodes]]] = {"api": BareNodes, "full": KubeletNodes}
PROXIES: Final = ("nftables", "iptables")
"""The modes of kube-proxy that a full lab can have; the first one if nobody chooses."""
MOST_NODES: Final = 80
OBSERVING: Final = 10
"""The client's share of the processors: what it measures must not make it late."""

Say = Callable[[str], None]


class Lab:
    """A local cluster: `with Lab() as lab: …` starts one and leaves nothing of it behind."""

    def __init__(
        self,
        size: str = "api",
        nodes: int = 3,
        name: str | None = None,
        say: Say = print,
        proxy: str = "",
    ) -> None:
        if size not in SIZES:
            raise LabError(f"there is no size {size!r}: take one of {', '.join(SIZES)}")
        if not 1 <= nodes <= MOST_NODES:
            raise LabError(f"a lab has 1 to {MOST_NODES} nodes, not {nodes}")
        modes = PROXIES if size == "full" else ("",)
        if proxy not in ("", *modes):
            raise LabError(f"a lab of size {size} has no kube-proxy of mode {proxy!r}")
        self.size = size
        self.proxy = proxy or modes[0]
        self.name = name or f"{size}-{secrets.token_hex(3)}"
        self.layout = Layout(self.name)
        self.network = Network(self.layout)
        self._say = say
        self.programs = programs.place()
        """The folder with etcd, kube-apiserver, kubectl and the rest."""
        self._keeper: Keeper | None = None
        self._kind = SIZES[size](self.layout, self.programs, nodes, self.proxy)
        routes = pod_routes(range(1, nodes + 1)) if size == "full" else ()
        self.control_plane = ControlPlane(self.layout, self.network, self.programs, routes)
        self.nodes = [self._machine(self._kind.blueprint(n + 1)) for n in range(nodes)]
        second = (second_nic(CLIENT_HOST),) if size == "full" else ()
        cards = (*CLIENT_NICS, *second)
        self.client = self._machine(Blueprint(CLIENT, cards, share=OBSERVING))
        everything = [self.control_plane.machine, *self.nodes, self.client]
        self.machines = {machine.name: machine for machine in everything}
        """All of them by name: cp, n1, n2, …, client."""
        self.kubectl = Kubectl(self.layout, self.programs)

    @classmethod
    def attach(cls, name: str) -> Self:
        """Give the lab of this name that somebody else has started."""
        try:
            facts = json.loads(_facts(Layout(name)).read_text())
        except OSError:
            raise LabError(f"there is no lab {name!r}: see `python -m lab status`") from None
        return cls(facts["size"], facts["nodes"], name, proxy=facts["proxy"])

    def start(self) -> None:
        """Start all of it, with what it needs. When that fails nothing is left of it."""
        requirements.ensure(self.size, self._say)
        programs.build(self._say)
        self._claim_name()
        self._keeper = Keeper(self.name)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def release(self) -> None:
        """Let it live on when this process ends."""
        if self._keeper:
            self._keeper.dismiss()
            self._keeper = None

    def stop(self) -> None:
        """End all of it; also what a start that failed has left."""
        teardown.tear_down(self.layout)
        self.control_plane.door.close()
        for machine in self.machines.values():
            machine.reap()
        self.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for programs in the root namespace."""
        return self.layout.kubeconfig(ADMIN)

    @property
    def inside_kubeconfig(self) -> Path:
        """The administrator's, for programs in the machines."""
        return self.layout.kubeconfig(INSIDE)

    def api(self) -> client.ApiClient:
        """A new client of the API server, with the administrator's rights."""
        return config.new_client_from_config(str(self.kubeconfig))

    def load_images(self) -> None:
        """Give the nodes images of the source as it is; `charts.install` then rolls them out."""
        load_images(self.layout, self.nodes)

    def apply_crds(self) -> None:
        """Apply the project's kinds; they can be used when this returns."""
        self.kubectl("apply", "--server-side", "-f", str(CRDS))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all")

    def account_kubeconfig(self, namespace: str, account: str, *, inside: bool = True) -> Path:
        """Write the kubeconfig of a ServiceAccount, which must exist; valid for one day."""
        token = self.kubectl("create", "token", account, "-n", namespace, "--duration=24h").strip()
        file = self.layout.kubeconfig(f"{namespace}.{account}.{'inside' if inside else 'door'}")
        return Pki(self.layout).kubeconfig(file, API_URL if inside else self._door_url, token)

    def split(self, *machines: str) -> float:
        """Cut the segment in two: these machines see each other, and the others likewise."""
        return self.network.split(machines, "eth1")

    def heal(self, *machines: str) -> None:
        """Bring these machines back to the segment of the others."""
        for name in machines:
            self.machines[name].mend(SEGMENT)

    def observe(
        self, addresses: Sequence[str], pace: Pace | None = None, *, is_recorded: bool = False
    ) -> Observation:
        """Watch addresses from the client: who answers, and what a client sees of it.

        With `is_recorded` every node notes when it is asked and answers, to explain doubles.
        """
        pace = pace or Pace.gentle(len(addresses))
        recorded = [node for node in self.nodes if node.is_on] if is_recorded else []
        return Observation(self.client, list(self.machines.values()), addresses, pace, recorded)

    def who_answers(self, addresses: Sequence[str]) -> dict[str, str]:
        """Give the machine that answers for each address now; silent ones are not in it."""
        with self.observe(addresses, Pace(Pace.finest(len(addresses)).ask, ping=0)) as seen:
            pass
        return seen.sight.owners()

    @property
    def _door_url(self) -> str:
        return self.control_plane.door.url

    def _machine(self, blueprint: Blueprint) -> Machine:
        return Machine(blueprint, self.layout, self.network)

    def _claim_name(self) -> None:
        """From here on the lab's traces are ours to remove; before, they are somebody else's."""
        try:
            self.layout.home.mkdir(parents=True)
        except FileExistsError:
            down = f"python -m lab down --name {self.name}"
            raise LabError(f"lab {self.name!r} is there already: end it by `{down}`") from None

    def _start(self) -> None:
        self.network.create()
        self.control_plane.door.open()
        names = [node_name(n + 1) for n in range(len(self.nodes))]
        Pki(self.layout).create(names, self._door_url)
        self.control_plane.boot()
        self._kind.prepare()
        for machine in (*self.nodes, self.client):
            machine.power_on()
        self.control_plane.wait_until_ready()
        self.control_plane.start_controllers()
        self._kind.join(self.kubectl, self.nodes)
        facts = {"size": self.size, "nodes": len(self.nodes), "proxy": self.proxy}
        _facts(self.layout).write_text(json.dumps(facts))


def _facts(layout: Layout) -> Path:
    return layout.home / "lab.json"
