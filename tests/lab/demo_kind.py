"""The demo's cluster in docker, by kind: three workers, and a client on docker's network.

`make kind` runs it, on a node image that is made there.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

from lab.charts import CHART, NAMESPACE, RELEASE
from lab.charts_program import helm
from lab.demo_kind_client import CLIENT, NETWORK, Client, Requests
from lab.demo_local import EXAMPLE, WORKLOADS
from lab.errors import LabError
from lab.processes import attempt, run
from lab.programs import cache

NAME: Final = "duravip-demo"
TAG: Final = "demo"
PROJECT: Final = CHART.parents[1]
WORKERS: Final = (f"{NAME}-worker", f"{NAME}-worker2", f"{NAME}-worker3")
NODES: Final = [{"role": "control-plane"}, *({"role": "worker"} for _ in WORKERS)]
MINUTES: Final = 600
"""Seconds that a step may take which fetches images."""

Say = Callable[[str], None]


class KindStage:
    """See `demo_story.Stage`."""

    addresses: tuple[str, str]

    def __init__(self, say: Say, node_image: str = "") -> None:
        """Without the name of a node image it is the one that this version of kind prefers."""
        self._say = say
        self._node_image = node_image
        self._kubeconfig = _kubeconfig()
        self._block: IPv4Network
        self._client: Client

    def start(self) -> None:
        """Create the cluster and build the images."""
        _check()
        if NAME in run(["kind", "get", "clusters"]).split():
            raise LabError("the demo is running already: end it by `make demo-down CLUSTER=kind`")
        self._helm = helm(self._say)
        try:
            self._create()
        except BaseException:
            self.stop()
            raise

    def install(self) -> None:
        """Install the chart with the images that the nodes hold."""
        images = [
            f"--set-string=image.{program}.repository=duravip-{program},image.{program}.tag={TAG}"
            for program in ("operator", "agent")
        ]
        command = ["upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
        options = [
            "--create-namespace",
            "--wait",
            "--timeout=180s",
            "--set=image.pullPolicy=Never",
        ]
        argv = [str(self._helm), f"--kubeconfig={self._kubeconfig}", *command, *options, *images]
        run(argv, timeout=200)

    def example(self) -> str:
        """The example with addresses of docker's network, on its card, and a node of kind's."""
        return self._adapted(EXAMPLE.read_text())

    def workloads(self) -> dict[str, str]:
        """Those that need no second card, which the nodes do not have."""
        texts = {
            name: (WORKLOADS / f"{name}.yaml").read_text()
            for name in ("daemonset", "loadbalancer", "service")
        }
        return {name: self._adapted(text) for name, text in texts.items()}

    def fetch(self, url: str) -> str:
        """The client is a container."""
        return self._client.fetch(url)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the administrator."""
        return run(["kubectl", f"--kubeconfig={self._kubeconfig}", *arguments], text)

    def observe(self, addresses: Sequence[str]) -> Client:
        """The client is a container."""
        return self._client.looking_at(addresses)

    def requests(self, url: str, every: float) -> Requests:
        """The client is a container."""
        return Requests(url, every)

    def crash(self, node: str) -> float:
        """SIGKILL to all of it; docker takes its card away."""
        crashed = time.monotonic()  # docker takes longer to return than a fail-over does
        run(["docker", "kill", node])
        return crashed

    def revive(self, node: str) -> None:
        """Boot it from its disk."""
        run(["docker", "start", node])

    def leave(self) -> None:
        """`make demo-down CLUSTER=kind` ends it."""

    def stop(self) -> None:
        """End it."""
        down()

    def hints(self) -> str:
        """Commands that work as they stand."""
        return "\n".join(
            [
                "It runs on. To try:",
                f"  export KUBECONFIG={self._kubeconfig}",
                "  kubectl get vips -o wide",
                "  kubectl get dvn",
                "  kubectl describe dvip smtp-1",
                f"  docker kill {WORKERS[1]}",
                f"  docker start {WORKERS[1]}",
                "  make demo-down CLUSTER=kind",
            ]
        )

    def _adapted(self, text: str) -> str:
        prefix = str(self._block.network_address).removesuffix("0")
        text = text.replace("10.1.1.", prefix).replace("eth1", "eth0")
        return text.replace("preference: n1", f"preference: {WORKERS[0]}")

    def _create(self) -> None:
        kind = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": NODES}
        self._say("creating a cluster of four containers")
        self._kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        create = ["kind", "create", "cluster", f"--name={NAME}", "--config=-", "--wait=180s"]
        create += [f"--image={self._node_image}"] if self._node_image else []
        run([*create, f"--kubeconfig={self._kubeconfig}"], json.dumps(kind), MINUTES)
        self._block = _block()
        self.addresses = (str(self._block[1]), str(self._block[2]))
        self._say("building the images")
        for program in ("operator", "agent"):
            image = f"duravip-{program}:{TAG}"
            dockerfile = PROJECT / program / "Dockerfile"
            build = ["docker", "build", f"--file={dockerfile}", f"--tag={image}", str(PROJECT)]
            run(build, timeout=MINUTES)
            run(["kind", "load", "docker-image", image, f"--name={NAME}"], timeout=MINUTES)
        self._client = Client(WORKERS)
        self._client.start()


def down() -> None:
    """End a demo, however far it came."""
    _check()
    attempt(["docker", "rm", "--force", "--volumes", CLIENT])
    run(["kind", "delete", "cluster", f"--name={NAME}"], timeout=120)
    _kubeconfig().unlink(missing_ok=True)  # it has the administrator's key


def _kubeconfig() -> Path:
    return cache() / "kind-demo.kubeconfig"


def _check() -> None:
    for program in ("docker", "kind", "kubectl"):
        if not shutil.which(program):
            raise LabError(f"CLUSTER=kind needs {program}, which is not installed")
    if attempt(["docker", "info"]).returncode:
        raise LabError("CLUSTER=kind needs docker, and `docker info` says that it does not run")


def _block() -> IPv4Network:
    """The last /24 of docker's network, from which docker itself gives addresses last."""
    facts: list[dict[str, Any]] = json.loads(run(["docker", "network", "inspect", NETWORK]))
    subnets = [config["Subnet"] for config in facts[0]["IPAM"]["Config"]]
    whole = next(IPv4Network(subnet) for subnet in subnets if ":" not in subnet)
    if whole.prefixlen > 24:
        raise LabError(f"docker's network {whole} is too small for the demo: it needs a /24 of it")
    return list(whole.subnets(new_prefix=24))[-1]
