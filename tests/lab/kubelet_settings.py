"""The settings of a node with a kubelet: what its containerd, its kubelet and its pods read.

On cgroup v1 the machine's own groups look like the root of all to the kubelet, so it needs no
settings about them. cgroup v2 is meant to work the same way; this was run on v1 only.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any, Final

from lab.images import PAUSE
from lab.layout import MTU, Layout, control_address

TEMPLATES: Final = Path(__file__).with_name("node")
CGROUP_V2: Final = Path("/sys/fs/cgroup/cgroup.controllers")
KERNEL_SETTINGS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
"""What a kubelet sets on its machine. It is shown these values, and so leaves the real ones be."""
RESOLVER: Final = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
"""Refused at once: there is no DNS here, and no file would mean the machine's own."""

POD_NETWORKS: Final = "10.244.0.0/16"
"""What holds the pods of all nodes."""


def shown(setting: str) -> str:
    """The file in the machine's folder that it sees instead of a setting of the kernel."""
    return setting.replace("/", ".")


def pod_network(number: int) -> str:
    """The network of node `number`'s pods."""
    return f"10.244.{number}.0/24"


def pod_routes(numbers: Iterable[int]) -> list[str]:
    """How pods of these nodes are reached: `NETWORK via ADDRESS`."""
    return [f"{pod_network(number)} via {control_address(number)}" for number in numbers]


def write(layout: Layout, folder: Path, number: int) -> None:
    """Write the settings of node `number` into its folder."""
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    files = {shown(setting): value for setting, value in KERNEL_SETTINGS.items()}
    files |= {
        "resolv.conf": RESOLVER,
        "kubelet.json": json.dumps(_kubelet_settings(layout, folder)),
        "cni/10-lab.conflist": json.dumps(_cni_settings(number)),
    }
    containerd = Template((TEMPLATES / "containerd.toml").read_text())
    files["containerd.toml"] = containerd.substitute(folder=folder, pause=PAUSE)
    for name, content in files.items():
        (folder / name).write_text(content)


def _kubelet_settings(layout: Layout, folder: Path) -> dict[str, Any]:
    free = {"nodefs.available": "1%", "nodefs.inodesFree": "1%"}
    free |= {"imagefs.available": "1%", "imagefs.inodesFree": "1%", "memory.available": "50Mi"}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": CGROUP_V2.exists(),  # on v1 it would refuse to start
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.home / "pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "volumePluginDir": str(folder / "disk/volume-plugins"),
        # Neither can be had without CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": free,
        # Quick to be missed: the control plane waits for 8 s of silence.
        "nodeStatusUpdateFrequency": "2s",
        "nodeLeaseDurationSeconds": 4,
        "volumeStatsAggPeriod": "0s",
    }


def _cni_settings(number: int) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": pod_network(number)}]],
        "dataDir": "/run/cni-ipam",  # leases end with the node's uptime
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "mtu": MTU, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [plugin]}
