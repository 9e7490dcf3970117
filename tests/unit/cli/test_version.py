"""`version`: who runs what."""

import json

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError, ExitCode
from duravip_operator.core.lease_annotations import SETTINGS_ANNOTATION, format_settings
from duravip_runtime.settings import PROGRAM_VERSION
from unit.cli.memory import Memory


def cluster(**annotations: str) -> Memory:
    agents = {"n1": "1.0", "n2": "1.1", "n3": "1.0", "n4": ""}
    found = Memory(
        NodePlumbing=[
            {"metadata": {"name": name}, "status": {"agent": {"version": version}}}
            for name, version in agents.items()
        ]
    )
    found.held = [
        {"metadata": {"name": "duravip-operator", "namespace": "x", "annotations": annotations}}
    ]
    return found


def test_each_version_is_told_with_whom_runs_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = {SETTINGS_ANNOTATION: format_settings({"version": "1.2"})}
    assert run(["version"], lambda _: cluster(**told)) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"client      {PROGRAM_VERSION}",
        "operator    1.2",
        "agent       1.0 on n1, n3",
        "agent       1.1 on n2",
        "agent       unknown on n4",
        "API server  v1.99",
    ]
    assert run(["version", "-o", "json"], lambda _: cluster(**told)) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["agents"]["1.0"] == ["n1", "n3"]


@pytest.mark.parametrize("settings", ["", "{}", "[]", "{"])
def test_an_operator_that_does_not_say_is_unknown(
    settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["version"], lambda _: cluster(**{SETTINGS_ANNOTATION: settings}))
    assert "operator    unknown" in capsys.readouterr().out


def test_its_own_is_told_where_no_cluster_is(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory()
    memory.refusal = CommandError("cannot reach the API server", ExitCode.USAGE)
    assert run(["version"], lambda _: memory) == ExitCode.USAGE
    assert f"client      {PROGRAM_VERSION}" in capsys.readouterr().out
    assert run(["version", "--client"], lambda _: memory) == ExitCode.OK
