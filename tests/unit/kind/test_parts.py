"""The parts of the tier with kind that need neither docker nor root."""

import json
from pathlib import Path
from typing import Any

import pytest

from kind.control_plane import image_names
from kind.runc_without_sys_resource import adapt, without_sys_resource

ASKING: dict[str, Any] = {
    "args": ["sh"],
    "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "ambient": []},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1 << 20, "soft": 1 << 20}],
    "oomScoreAdj": -998,
}
MODEST = {"args": ["sh"], "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": []}}


def test_what_needs_the_capability_is_taken_out_of_a_process() -> None:
    assert without_sys_resource(ASKING) == MODEST


def test_a_process_that_asks_for_nothing_of_it_stays_as_it_is() -> None:
    willing = MODEST | {"oomScoreAdj": 1000}
    assert without_sys_resource(willing) == willing


@pytest.mark.parametrize("command", ["create", "run"])
def test_a_new_container_is_adapted(tmp_path: Path, command: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": ASKING, "hostname": "n1"}))
    adapt(["runc", "--root", "/run/runc", command, "--bundle", str(tmp_path), "name"])
    assert json.loads(config.read_text()) == {"process": MODEST, "hostname": "n1"}


def test_a_process_in_a_container_that_runs_is_adapted(tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps(ASKING))
    adapt(["runc", "exec", "--process", str(process), "--detach", "name"])
    assert json.loads(process.read_text()) == MODEST


def test_kinds_own_images_are_among_those_of_a_node_and_its_base_is_not(tmp_path: Path) -> None:
    files = {
        "pkg/build/nodeimage/const_cni.go": 'const a = "docker.io/kindest/kindnetd:v1"',
        "pkg/build/nodeimage/const_storage.go": 'const b = "docker.io/kindest/helper:v2"',
        "pkg/build/nodeimage/defaults.go": 'const c = "docker.io/kindest/base:v3"',
        "images/base/files/etc/containerd/config.toml": '  sandbox_image = "registry/pause:3.10"',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert image_names(["registry/etcd:3"], tmp_path) == [
        "docker.io/kindest/helper:v2",
        "docker.io/kindest/kindnetd:v1",
        "registry/etcd:3",
        "registry/pause:3.10",
    ]
