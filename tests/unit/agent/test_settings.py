"""The command line of the agent, its environment, and its log."""

import json
import logging
from pathlib import Path

import pytest

from duravip_agent.control.replicas import Resolver
from duravip_agent.settings import Settings, settings_from
from duravip_runtime.key_file import CHECK_EVERY_S, KeyFile
from duravip_runtime.log_format import JsonFormatter
from duravip_runtime.settings import SettingsError

GIVEN = ["--node-name=n1"]


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = settings_from(GIVEN)
    assert settings.node_name == "n1"
    assert (settings.announce_every, settings.clean_slate) == (60.0, "granted")
    assert settings.http_listen == "127.0.0.1:9481"
    assert settings.local_listen == settings.local_group == ""


def test_the_environment_fills_in_and_the_command_line_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DURAVIP_NODE_NAME", "n9")
    monkeypatch.setenv("DURAVIP_ANNOUNCE_EVERY", "30")
    assert settings_from([]).node_name == "n9"
    assert settings_from(GIVEN).node_name == "n1"
    assert settings_from(GIVEN).announce_every == 30


def test_an_agent_is_allowed_to_run_without_a_fence_only_when_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not settings_from(GIVEN).allow_unfenced
    assert settings_from([*GIVEN, "--allow-unfenced"]).allow_unfenced
    monkeypatch.setenv("DURAVIP_ALLOW_UNFENCED", "true")
    assert settings_from(GIVEN).allow_unfenced


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--announce-every=soon", "--announce-every: "),
        ("--announce-every=0", "--announce-every: "),
        ("--node-name=N1", "--node-name: "),
        ("--clean-slate=maybe", "--clean-slate: "),
        ("--http-listen=here", "--http-listen: must be HOST:PORT, not 'here'"),
        ("--local-listen=10.1.1.1:9480", "--local-listen: must be unix:/PATH, or HOST:PORT with"),
        ("--local-group=nobody-knows", "--local-group: must be a group of this machine"),
        ("--dead-man-after=99", "--dead-man-after: "),
        ("--pulse-key-file=/none", "--pulse-key-file: cannot be read: No such file or directory"),
        ("--log-level=loud", "--log-level: "),
        ("--colour=blue", "--colour=blue"),
    ],
)
def test_a_bad_option_is_named_in_one_line(option: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from([*GIVEN, option])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bad_variable_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURAVIP_ANNOUNCE_EVERY", "soon")
    with pytest.raises(SettingsError, match=r"DURAVIP_ANNOUNCE_EVERY: .*'soon'"):
        settings_from(GIVEN)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(SettingsError, match=r"--node-name \(or DURAVIP_NODE_NAME\) is required"):
        settings_from([])


def test_no_key_file_is_needed() -> None:
    assert settings_from(["--node-name=n1"]).pulse_key_file is None


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_from(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"--{name.replace('_', '-')}" in shown for name in Settings.model_fields)


def test_a_key_file_is_read_again_when_it_changes_and_kept_when_it_is_spoilt(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key"
    path.write_text("first-key-of-sixteen\n")
    keys = KeyFile(path)
    assert not keys.refresh(0.0)
    first = keys.keys
    path.write_text("another-key-of-sixteen\nfirst-key-of-sixteen\n")
    assert keys.refresh(2 * CHECK_EVERY_S) == "the pulse keys were read again"
    second = keys.keys
    assert second[1:] == first
    path.write_text("short\n")
    assert "the old ones stay" in keys.refresh(4 * CHECK_EVERY_S)
    path.unlink()
    assert "the old ones stay" in keys.refresh(6 * CHECK_EVERY_S)
    assert keys.keys == second


def test_numeric_targets_need_no_look_up_and_nonsense_is_left_out() -> None:
    targets = Resolver()
    resolved = targets.resolved(("127.0.0.1:7946", "[::1]:7946", "nonsense", "operator:7946"))
    assert [where[:2] for _, (_, where) in resolved] == [("127.0.0.1", 7946), ("::1", 7946)]


def test_a_line_of_the_json_log_is_one_object() -> None:
    record = logging.LogRecord("duravip_agent", logging.INFO, "f", 1, "a\n%s", ("b",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "a\nb"
