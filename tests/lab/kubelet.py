"""Nodes of the full size: machines with containerd, a real kubelet and a real kube-proxy."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import kubelet_settings, programs
from lab.errors import LabError
from lab.images import names_file, write_former_images, write_images, write_mail_image
from lab.kubectl import Kubectl
from lab.kubelet_settings import KERNEL_SETTINGS, POD_NETWORKS, TEMPLATES, pod_routes
from lab.layout import (
    SERVICE_ADDRESS,
    Layout,
    control_address,
    node_host,
    node_nics,
    second_address6,
    second_nic,
)
from lab.machines import Blueprint, Machine
from lab.nodes import node_name
from lab.processes import wait_for


class KubeletNodes:
    """Nodes that run pods; see `nodes.Nodes`."""

    def __init__(self, layout: Layout, programs: Path, count: int, proxy: str) -> None:
        self._layout = layout
        self._programs = programs
        self._count = count
        self._proxy = proxy

    def blueprint(self, number: int) -> Blueprint:
        """A machine whose PID 1 starts containerd, kube-proxy, then a kubelet."""
        name = node_name(number)
        folder = self._layout.folder(name)
        others = [other for other in range(1, self._count + 1) if other != number]
        return Blueprint(
            name,
            (*node_nics(number), second_nic(node_host(number))),
            init=(str(TEMPLATES / "node-init.sh"),),
            env={
                "NODE": name,
                "NODE_IP": f"{control_address(number)},{second_address6(number)}",
                "NODE_KUBELET": str(self._programs / "kubelet"),
                "NODE_KUBECONFIG": str(self._layout.kubeconfig(name)),
                "NODE_PROXY": "\n".join(self._proxy_command(name)),
                "NODE_IMAGES": str(archive(self._layout)),
                "NODE_ROUTES": "\n".join(pod_routes(others)),
            },
            binds=tuple(
                (folder / kubelet_settings.shown(setting), Path("/proc/sys", setting))
                for setting in KERNEL_SETTINGS
            ),
            own_cgroups=True,
        )

    def prepare(self) -> None:
        """Build the images, and write the settings of every node."""
        _write_images(self._layout)
        for number in range(1, self._count + 1):
            kubelet_settings.write(self._layout, self._layout.folder(node_name(number)), number)

    def join(self, kubectl: Kubectl, machines: Sequence[Machine]) -> None:
        """Wait until all of them have come of themselves, and Services work there."""
        for number in range(1, self._count + 1):
            for what in ("create", "condition=Ready"):  # it takes one node at a time for `create`
                node = f"node/{node_name(number)}"
                kubectl("wait", f"--for={what}", "--timeout=60s", node, timeout=70)
        for machine in machines:
            wait_for_services(machine)

    def _proxy_command(self, name: str) -> list[str]:
        """It leaves the kernel's limits of connections alone, which are the whole machine's."""
        return [
            str(self._programs / "kube-proxy"),
            f"--kubeconfig={self._layout.kubeconfig('kube-proxy')}",
            f"--proxy-mode={self._proxy}",
            f"--hostname-override={name}",
            f"--cluster-cidr={POD_NETWORKS}",
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]


def wait_for_services(machine: Machine) -> None:
    """Wait until the API server answers there at the address of its Service."""
    ask = ["curl", "-sfkm1", "-o/dev/null", f"https://{SERVICE_ADDRESS}/readyz"]

    def is_reached() -> bool:
        return machine.attempt(ask).returncode == 0

    wait_for(is_reached, f"kube-proxy works on {machine.name}", timeout=60)


def archive(layout: Layout) -> Path:
    """The images that every node of a lab imports before its kubelet starts."""
    return layout.home / "images.tar"


def references(layout: Layout) -> dict[str, str]:
    """The images of a lab, by their last name, such as `duravip-agent`."""
    return _references(archive(layout))


def _references(file: Path) -> dict[str, str]:
    lines = names_file(file).read_text().split()
    return {line.rpartition(":")[0].rpartition("/")[2]: line for line in lines}


def load_images(layout: Layout, nodes: list[Machine]) -> None:
    """Build the images from the source as it is now, and give them to the nodes that are on."""
    file = archive(layout)
    _write_images(layout)

    def give(node: Machine) -> None:
        _import(node, file)
        (node.folder / "disk/images.names").write_text(names_file(file).read_text())

    running = [node for node in nodes if node.is_on]
    if not running:
        raise LabError("no node is on")
    with ThreadPoolExecutor() as pool:
        list(pool.map(give, running))


def load_former_images(layout: Layout, nodes: Sequence[Machine], source: Path) -> dict[str, str]:
    """Build those of an earlier commit, and load them too; what `references` gives of ours."""
    file = layout.home / "former-images.tar"
    write_former_images(file, programs.cache() / "images", source)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: _import(node, file), nodes))
    return _references(file)


def load_mail_image(layout: Layout, nodes: Sequence[Machine]) -> str:
    """Build the image with Postfix, give it to the nodes, and give its name."""
    file = layout.home / "mail-image.tar"
    name = write_mail_image(file, programs.cache() / "images")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: _import(node, file), nodes))
    return name


def _import(node: Machine, file: Path) -> None:
    node.run(["ctr", "-n", "k8s.io", "images", "import", "--snapshotter=overlayfs", str(file)])


def _write_images(layout: Layout) -> None:
    write_images(archive(layout), programs.cache() / "images", with_python=True)
