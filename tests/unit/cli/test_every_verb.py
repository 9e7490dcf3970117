"""Every verb where something is amiss: what it says then, and its exit code."""

import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import pytest
import yaml

from duravip_cli.__main__ import VERBS, main, run
from lab.fleet import PROGRAMS
from scenarios.world import World
from unit.cli.memory import memory_of
from unit.cli.stub_api import Lists, kubeconfig, served

OBJECTS: Final = [
    {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}},
    {"kind": "DuraVIP", "name": "web", "spec": {"address": "10.1.1.1"}},
    {"kind": "Binding", "name": "out", "namespace": "mail", "spec": {"address": "10.1.1.10"}},
]
PLURALS: Final = {
    "DuraVIP": "duravips",
    "Binding": "vipbindings",
    "Topology": "topologies",
    "Node": "nodes",
    "NodePlumbing": "nodeplumbings",
}
MANIFEST: Final = {
    "apiVersion": "duravip.io/v1alpha1",
    "kind": "DuraVIP",
    "metadata": {"name": "new", "namespace": "default"},
    "spec": {"address": "10.1.1.7"},
}
AT_ONCE: Final = ("--timeout", "0.1")
"""No operator and no agent is there to do what is asked for."""
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "announce": AT_ONCE,
    "completion": ("bash",),
    "doctor": (),
    "drain": ("n1", *AT_ONCE),
    "groups": (),
    "history": (),
    "import": ("metallb", "--live"),
    "mailq": (),
    "move": ("web", "n2", *AT_ONCE),
    "moves": (),
    "neighbours": ("n1", *AT_ONCE),
    "nodes": (),
    "rebind": ("--all",),
    "release": ("web", *AT_ONCE),
    "reset": ("n1", "--yes", *AT_ONCE),
    "services": (),
    "show": (),
    "simulate": ("--fail", "n1"),
    "status": (),
    "undrain": ("n1",),
    "validate": ("--live", "new.yaml"),
    "version": (),
    "why": ("web",),
}
GIVEN: Final = ("--kubeconfig", "kubeconfig")
WITHOUT_A_CLUSTER: Final = {"completion"}
PRINT_NOTHING: Final = {"import", "mailq", "move", "moves", "rebind", "reset"}
"""On standard output, since nothing comes of them here."""
FOR_TENANTS: Final = {"history", "move", "release", "services", "show", "status", "why"}
"""These need rights in one namespace only; `doctor` warns of what it may not list."""


@pytest.fixture(scope="module")
def lists() -> Lists:
    found = memory_of(World({"nodes": ["n1", "n2", "n3"], "objects": OBJECTS})).lists
    return {PLURALS[kind]: bodies for kind, bodies in found.items()}


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kubeconfig, in the current folder; the manifest is beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(MANIFEST))
    return tmp_path / "kubeconfig"


@pytest.fixture
def everything(lists: Lists, file: Path) -> Iterator[None]:
    with served(lists, file):
        yield


def test_every_verb_is_tried() -> None:
    assert [*CALLS] == [*VERBS]


def called(verb: str, *more: str) -> int:
    return run([verb, *CALLS[verb], *GIVEN, *more], sleep=lambda _: None)


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("verb", CALLS)
def test_without_a_cluster(verb: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(yaml.safe_dump(kubeconfig("http://127.0.0.1:1")))
    if verb in WITHOUT_A_CLUSTER:
        assert called(verb) == 0
        return
    assert called(verb) == 2
    assert "cannot reach the API server at http://127.0.0.1:1: " in only_line(capsys)


@pytest.mark.parametrize("verb", CALLS)
def test_without_any_rights(
    verb: str, lists: Lists, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(lists, file, namespace="none"):
        code = called(verb)
    if verb in {"doctor", *WITHOUT_A_CLUSTER}:
        assert (code, capsys.readouterr().err) == (0, "")
        return
    assert code == 1
    assert only_line(capsys).startswith("kubectl-duravip: you may not ")


@pytest.mark.parametrize("verb", CALLS)
def test_with_rights_in_one_namespace(
    verb: str, lists: Lists, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(lists, file, namespace="default"):
        code = called(verb, "-n", "default")
    said = capsys.readouterr()
    if verb in {"move", "release"}:  # nobody does what was written
        assert code == 1
        assert "after 0.1 s" in said.err + said.out
    elif verb in FOR_TENANTS | {"doctor", *WITHOUT_A_CLUSTER}:
        assert (code, said.err) == (0, "")
    else:
        assert code == 1
        assert said.err.startswith("kubectl-duravip: you may not ")


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("verb", CALLS)
def test_on_a_full_disk(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w") as full:
        assert ended(verb, full) == 1
    line = only_line(capsys)
    if verb in PRINT_NOTHING:
        assert "fault of the program" not in line
    else:
        assert line == "kubectl-duravip: cannot write the output: No space left on device"


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("verb", CALLS)
def test_into_a_pipe_that_nobody_reads(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, into = os.pipe()
    os.close(out)
    with os.fdopen(into, "w") as pipe:
        assert ended(verb, pipe) == (verb in PRINT_NOTHING)
    assert bool(capsys.readouterr().err) == (verb in PRINT_NOTHING)


def ended(verb: str, stream: TextIO) -> int:
    """The exit code of the program, which prints there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["kubectl-duravip", verb, *CALLS[verb], *GIVEN])
        patch.setattr("sys.stdout", stream)
        patch.setattr("gc.disable", lambda: None)
        with pytest.raises(SystemExit) as end:
            main()
    return int(str(end.value.code))


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("verb", ["show", "nodes", "groups"])
def test_a_table_keeps_within_a_narrow_terminal(verb: str) -> None:
    ours, its = pty.openpty()
    with os.fdopen(its, "w") as terminal:
        subprocess.run(
            [PROGRAMS / "kubectl-duravip", verb, *CALLS[verb], *GIVEN],
            stdout=terminal, env={**os.environ, "COLUMNS": "40", "NO_COLOR": "1"}, check=True,
        )  # fmt: skip
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert 1 < max(map(len, shown.splitlines())) <= 40
