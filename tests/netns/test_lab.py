"""The local cluster itself: what it promises to the tests that stand on it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kubernetes import client

from lab import cluster, teardown
from lab.__main__ import main
from lab.cluster import Lab
from lab.errors import LabError
from lab.kubectl import Kubectl
from lab.layout import CONTROL, NAMESPACES, SEGMENT, Layout
from lab.machines import Machine
from lab.nodes import BareNodes
from lab.processes import wait_for

TESTS = Path(__file__).parents[1]
SLOWEST_START = 15  # a quiet machine takes 3 to 4 seconds


def traces(name: str) -> list[str]:
    """All that this machine has of the lab with this name."""
    layout = Layout(name)
    found = [str(file) for file in NAMESPACES.glob(f"{layout.mark}.*")]
    found += [group for group, _, _ in os.walk("/sys/fs/cgroup") if group.endswith(layout.mark)]
    found += [str(layout.home)] if layout.home.exists() else []
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [line for line in mounts if layout.mark in line or str(layout.home) in line]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{layout.mark}." in line or f"{layout.home}/" in line:
            found.append(line)
    return found


def reaches(machine: Machine, address: str) -> bool:
    return machine.attempt(["ping", "-c1", "-W1", address]).returncode == 0


def comes_to_reach(machine: Machine, address: str) -> None:
    wait_for(lambda: reaches(machine, address), f"{machine.name} reaches {address}")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    began = time.monotonic()
    with Lab("api") as lab:
        assert time.monotonic() - began < SLOWEST_START
        yield lab


def test_kubectl_works_from_the_root_namespace(lab: Lab) -> None:
    nodes = lab.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.addresses[0].address}")
    assert nodes == "10.77.0.11 10.77.0.12 10.77.0.13"


def test_the_python_client_works_too(lab: Lab) -> None:
    assert client.VersionApi(lab.api()).get_code().git_version == "v1.36.3"


def test_a_service_account_has_its_own_rights_only(lab: Lab) -> None:
    lab.kubectl("create", "serviceaccount", "nobody", "-n", "default")
    kubeconfig = lab.account_kubeconfig("default", "nobody")
    kubectl = [str(lab.programs / "kubectl"), f"--kubeconfig={kubeconfig}"]
    who = lab.machines["n1"].run([*kubectl, "auth", "whoami"])
    assert "system:serviceaccount:default:nobody" in who
    refused = lab.machines["n1"].attempt([*kubectl, "get", "nodes"])
    assert "forbidden" in refused.stderr


def test_machines_reach_each_other_on_both_networks(lab: Lab) -> None:
    for address in ("10.77.0.10", "10.77.0.12", "10.1.0.13", "fd00:1::100"):
        comes_to_reach(lab.machines["n1"], address)
    assert not reaches(lab.client, "10.77.0.10")


def test_a_crash_ends_everything_and_power_on_gives_a_fresh_boot(lab: Lab) -> None:
    machine = lab.machines["n3"]
    boot = machine.run(["cat", "/proc/sys/kernel/random/boot_id"])
    machine.run(["ip", "addr", "add", "10.1.1.9/32", "dev", "eth1"])
    process = machine.spawn(["sleep", "1000"])
    machine.crash()
    assert not machine.is_on
    assert process.wait() == -9
    assert not reaches(lab.client, "10.1.0.13")
    with pytest.raises(LabError, match="machine n3 is off"):
        machine.run(["true"])
    machine.power_on()
    comes_to_reach(lab.client, "10.1.0.13")
    assert machine.run(["cat", "/proc/sys/kernel/random/boot_id"]) != boot
    assert "10.1.1.9" not in machine.run(["ip", "addr"])


def test_a_pulled_cable_takes_the_carrier(lab: Lab) -> None:
    machine = lab.machines["n2"]
    machine.cable("eth1", up=False)
    assert machine.run(["cat", "/sys/class/net/eth1/carrier"]) == "0\n"
    assert machine.run(["cat", "/sys/class/net/eth0/carrier"]) == "1\n"
    machine.cable("eth1", up=True)
    comes_to_reach(machine, "10.1.0.100")


@pytest.mark.parametrize(
    ("network", "lost", "kept"),
    [(CONTROL, "10.77.0.10", "10.1.0.100"), (SEGMENT, "10.1.0.100", "10.77.0.10")],
)
def test_a_cut_path_is_cut_alone_and_the_machine_sees_nothing_of_it(
    lab: Lab, network: str, lost: str, kept: str
) -> None:
    machine = lab.machines["n1"]
    comes_to_reach(machine, lost)
    machine.cut(network)
    assert not reaches(machine, lost)
    assert reaches(machine, kept)
    assert machine.run(["cat", "/sys/class/net/eth0/carrier"]) == "1\n"
    assert machine.run(["cat", "/sys/class/net/eth1/carrier"]) == "1\n"
    machine.mend(network)
    comes_to_reach(machine, lost)


def test_a_split_segment_has_two_halves_until_it_heals(lab: Lab) -> None:
    n1, n2 = lab.machines["n1"], lab.machines["n2"]
    lab.split("n1", "n2")
    assert not reaches(lab.client, "10.1.0.11")
    assert reaches(n1, "10.1.0.12")
    assert reaches(n1, "10.77.0.10")
    lab.heal("n1", "n2")
    comes_to_reach(lab.client, "10.1.0.11")
    comes_to_reach(n2, "10.1.0.13")


def test_a_frozen_machine_stands_still_and_its_kernel_answers(lab: Lab) -> None:
    machine = lab.machines["n1"]
    log = machine.folder / "ticks.log"
    ticking = machine.spawn(["sh", "-c", "while :; do echo tick; sleep 0.02; done"], log)
    wait_for(lambda: "tick" in ticking.output(), "the ticking starts")
    machine.freeze()
    before = ticking.output()
    assert reaches(lab.client, "10.1.0.11")
    time.sleep(0.2)
    assert ticking.output() == before
    machine.thaw()
    wait_for(lambda: ticking.output() != before, "the ticking goes on")
    ticking.kill()


def test_a_frozen_machine_can_crash(lab: Lab) -> None:
    machine = lab.machines["n3"]
    machine.freeze()
    machine.crash()
    assert not machine.is_on
    machine.power_on()


def test_a_process_is_stopped_and_goes_on(lab: Lab) -> None:
    process = lab.machines["n1"].spawn(["sleep", "1000"])
    state = Path(f"/proc/{process.pid}/stat")
    process.stop()
    wait_for(lambda: state.read_text().split()[2] == "T", "it stops")
    process.resume()
    wait_for(lambda: state.read_text().split()[2] == "S", "it goes on")
    process.terminate()
    assert process.wait() == -15


def test_the_api_server_dies_and_comes_back_with_what_it_knew(lab: Lab) -> None:
    lab.kubectl("create", "namespace", "kept")
    lab.control_plane.api_server.kill()
    with pytest.raises(LabError):
        lab.kubectl("get", "namespace", "kept")
    lab.control_plane.start_api_server()
    lab.control_plane.wait_until_ready()
    assert "kept" in lab.kubectl("get", "namespace", "kept")


def test_the_control_plane_crashes_and_comes_back_with_what_it_knew(lab: Lab) -> None:
    lab.control_plane.machine.crash()
    assert reaches(lab.client, "10.1.0.11")
    lab.control_plane.power_on()
    assert lab.kubectl("get", "nodes", "-o", "name").split() == ["node/n1", "node/n2", "node/n3"]


def test_the_command_line_finds_a_running_lab(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crash", "--name", lab.name, "n2"]) == 0
    assert main(["status"]) == 0
    assert f"{lab.name} (api): cp on, n1 on, n2 off" in capsys.readouterr().out
    assert main(["power-on", "--name", lab.name, "n2"]) == 0
    assert main(["crash", "--name", lab.name, "n9"]) == 1
    assert capsys.readouterr().err == "lab: there is no machine 'n9' in it\n"
    argv = [sys.executable, "-m", "lab", "exec", "--name", lab.name, "n2", "--", "hostname"]
    assert subprocess.check_output(argv, cwd=TESTS, text=True) == "n2\n"


def test_two_labs_live_side_by_side_and_a_killed_run_leaves_nothing(lab: Lab) -> None:
    name = f"second-{lab.name[-6:]}"
    script = f"from lab.cluster import Lab\nwith Lab(name={name!r}, nodes=1): print('up'); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == "up\n"
        second = Lab.attach(name)
        assert second.kubectl("get", "nodes", "-o", "name").split() == ["node/n1"]
        assert lab.kubectl("get", "nodes", "-o", "name").split() != ["node/n1"]
        with pytest.raises(LabError, match="is there"):
            Lab(name=name).start()
        run.kill()
    wait_for(lambda: not traces(name), f"the lab {name} ends", timeout=20)
    assert traces(lab.name)
    comes_to_reach(lab.client, "10.1.0.11")


def test_a_start_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unwilling(BareNodes):
        def join(self, kubectl: Kubectl, _machines: Sequence[Machine]) -> None:
            kubectl("get", "willingness")

    monkeypatch.setitem(cluster.SIZES, "api", Unwilling)
    failing = Lab()
    with pytest.raises(LabError, match="willingness"):
        failing.start()
    assert traces(failing.name) == []


def test_a_lab_that_ends_leaves_nothing() -> None:
    with Lab(nodes=1) as short:
        short.machines["n1"].freeze()
        assert traces(short.name)
    assert traces(short.name) == []
    assert short.name not in teardown.known()


def test_who_answers_is_seen_from_the_client(lab: Lab) -> None:
    lab.machines["n2"].run(["ip", "addr", "add", "10.1.1.8/32", "dev", "eth1"])
    assert lab.who_answers(["10.1.1.8", "10.1.1.7"]) == {"10.1.1.8": "n2"}
