"""Lists in every form, and what `-w` prints."""

import pytest
import yaml

from duravip_cli.__main__ import run
from duravip_cli.errors import ExitCode
from unit.cli.memory import Memory


def vip(name: str, address: str, owner: str = "n1", **labels: str) -> dict[str, object]:
    return {
        "metadata": {"name": name, "namespace": "web", "labels": labels},
        "spec": {"address": address},
        "status": {"state": "Owned", "owner": owner},
    }


def node(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": labels}}


def cluster() -> Memory:
    return Memory(
        DuraVIP=[vip("a", "10.1.1.1", tier="front"), vip("b", "10.1.1.2")],
        Binding=[vip("out", "10.1.1.1")],
        Node=[node("n1", rack="a"), node("n2")],
        NodePlumbing=[{"metadata": {"name": "n3"}}],
    )


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words), lambda _: cluster()) == ExitCode.OK
    return capsys.readouterr().out


def test_names_can_be_handed_to_kubectl(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "show", "-o", "name").split() == [
        "vipbinding.duravip.io/out", "duravip.duravip.io/a", "duravip.duravip.io/b",
    ]  # fmt: skip
    assert said(capsys, "nodes", "-o", "name").split() == ["node/n1", "node/n2", "node/n3"]


def test_yaml_says_what_json_does(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = yaml.safe_load_all(said(capsys, "show", "-o", "yaml"))
    assert (first["address"], first["entities"]) == (
        "10.1.1.1", ["Binding web/out", "DuraVIP web/a"],
    )  # fmt: skip
    assert second["owner"] == "n1"


def test_labels_choose(capsys: pytest.CaptureFixture[str]) -> None:
    heads, row = said(capsys, "show", "-l", "tier=front").splitlines()
    assert (heads.split()[0], row.split()[0]) == ("ADDRESS", "10.1.1.1")
    assert said(capsys, "nodes", "-l", "rack=a", "--no-headers").split()[0] == "n1"
    assert said(capsys, "show", "-l", "tier=back") == "no DuraVIPs or Bindings\n"
    assert said(capsys, "show", "-n", "mail") == "no DuraVIPs or Bindings in mail\n"


def test_watching_prints_what_changes_and_what_is_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = cluster()
    steps = iter(
        [
            lambda: memory.lists["DuraVIP"].__setitem__(1, vip("b", "10.1.1.2", "n2")),
            lambda: None,
            lambda: memory.lists["DuraVIP"].pop(1),
        ]
    )

    def sleep(_: float) -> None:
        try:
            next(steps)()
        except StopIteration:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        run(["show", "-w", "--no-headers"], lambda _: memory, sleep)
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["10.1.1.1", "n1", "Owned"],
        ["10.1.1.2", "n1", "Owned"],
        ["10.1.1.2", "n2", "Owned"],
        ["10.1.1.2", "Deleted", "-"],
    ]
