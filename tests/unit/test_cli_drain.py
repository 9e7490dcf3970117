"""`drain` and `undrain`: one label, and patience."""

import json
from typing import Any

import pytest

from duravip_api import EXCLUDE_LABEL
from duravip_cli.__main__ import run
from unit.cli_memory import Memory


class Cluster(Memory):
    """One node with two addresses, which it gives up one a look once it is taken out."""

    def __init__(self, *, obeys: bool = True, **labels: str) -> None:
        super().__init__(
            Node=[{"metadata": {"name": "n1", "labels": labels}}],
            NodePlumbing=[_plumbing(2)],
        )
        self._obeys = obeys

    def read(self, kind: Any, name: str) -> Any:
        found = super().read(kind, name)
        if kind == "NodePlumbing" and self._obeys and EXCLUDE_LABEL in self.labels:
            left = self.lists["NodePlumbing"][0]["spec"]["grantedCount"]
            self.lists["NodePlumbing"] = [_plumbing(max(0, left - 1))]
        return found

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.lists["Node"][0]["metadata"]["labels"]
        return found


def _plumbing(count: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "n1", "generation": 1},
        "spec": {"grantedCount": count},
        "status": {"observedGeneration": 1, "servedCount": count},
    }


def test_a_drain_waits_until_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    assert run(["drain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {EXCLUDE_LABEL: "duravip"}
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        "2 addresses are granted to n1, it serves 2",
        "1 addresses are granted to n1, it serves 1",
        "n1 holds no address any more",
    ]


def test_a_drain_that_gets_nowhere_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(obeys=False)
    assert run(["drain", "n1", "--timeout", "0"], lambda _: cluster, lambda _: None) == 1
    assert "still granted 2 addresses" in capsys.readouterr().err
    assert run(["drain", "n1", "--no-wait", "-o", "json"], lambda _: cluster, lambda _: None) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "node": "n1", "granted": 2, "served": 2, "label": {EXCLUDE_LABEL: "duravip"},
    }  # fmt: skip


def test_a_label_of_somebody_else_stays_unless_forced(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(**{EXCLUDE_LABEL: ""})
    assert run(["drain", "n1", "--no-wait"], lambda _: cluster, lambda _: None) == 0
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 1
    assert cluster.labels == {EXCLUDE_LABEL: ""}
    assert "remove it with --force" in capsys.readouterr().err
    assert run(["undrain", "n1", "--force"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {}


def test_undrain_is_the_reverse_and_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(**{EXCLUDE_LABEL: "duravip"})
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {}
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "n1 was not taken out"


def test_a_node_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("drain", "undrain"):
        assert run([verb, "n9"], lambda _: Cluster()) == 1
    assert capsys.readouterr().err == 2 * "kubectl-duravip: there is no node n9\n"
