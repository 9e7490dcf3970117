"""The command line of the operator, its environment, and its log."""

import json
import logging
from pathlib import Path

import pytest

from duravip_operator.settings import Settings, settings_from
from duravip_runtime.log_format import JsonFormatter, TextFormatter
from duravip_runtime.settings import SettingsError


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    return [f"--pulse-key-file={key}", "--pulse-advertise=10.77.0.11:7946"]


def test_the_defaults_are_those_of_the_contract(given: list[str]) -> None:
    settings = settings_from(given)
    assert (settings.mature, settings.suspect_after) == (5.0, 0.15)
    assert (settings.max_aliases, settings.fencing) == (10240, "Segment")
    assert (settings.pulse_listen, settings.http_listen) == ("0.0.0.0:7946", "127.0.0.1:9480")
    assert settings.namespace == "duravip-system"


def test_two_replicas_without_a_name_have_different_ones(given: list[str]) -> None:
    assert settings_from(given).identity != settings_from(given).identity


def test_the_environment_fills_in_and_the_command_line_wins(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURAVIP_MATURE", "7")
    assert settings_from(given).mature == 7
    assert settings_from([*given, "--mature=2.5"]).mature == 2.5


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--mature=soon", "--mature: "),
        ("--mature=nan", "--mature: "),
        ("--mature=-1", "--mature: "),
        ("--suspect-after=0.1", "--suspect-after must be at least 0.12"),
        ("--load-balancer-class=a/b/c", "--load-balancer-class: "),
        ("--fencing=strict", "--fencing: Input should be 'Segment' or 'Strict', not 'strict'"),
        ("--max-aliases=0", "--max-aliases: "),
        ("--max-aliases=many", "--max-aliases: "),
        ("--identity=Me", "--identity: "),
        ("--namespace=a_b", "--namespace: "),
        ("--pulse-listen=7946", "--pulse-listen: must be HOST:PORT, not '7946'"),
        ("--pulse-listen=::1:7946", "--pulse-listen: an IPv6 address must be in brackets"),
        ("--pulse-listen=h:99999", "--pulse-listen: must be HOST:PORT"),
        ("--pulse-advertise=0.0.0.0:7946", "--pulse-advertise: must name one host and port"),
        ("--pulse-advertise=10.0.0.1:0", "--pulse-advertise: must name one host and port"),
        ("--http-listen=here", "--http-listen: must be HOST:PORT, not 'here'"),
        ("--page-listen=9482", "--page-listen: must be HOST:PORT, not '9482'"),
        ("--webhook-listen=0.0.0.0:9443", "--webhook-listen and --webhook-cert-dir go together"),
        ("--pulse-key-file=/none", "--pulse-key-file: cannot be read: No such file or directory"),
        ("--pulse-key-file=/dev/null", "--pulse-key-file: there is no key in it"),
        ("--log-level=loud", "--log-level: "),
        ("--balance-interval=-1", "--balance-interval: "),
        ("--balance-set-size=1.5", "--balance-set-size: "),
        ("--colour=blue", "unrecognized arguments: --colour=blue"),
        ("--matur=5", "unrecognized arguments: --matur=5"),
        ("stray", "unrecognized arguments: stray"),
    ],
)
def test_a_bad_option_is_named_in_one_line(given: list[str], option: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from([*given, option])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_services_are_served_by_class_unless_there_is_none(given: list[str]) -> None:
    assert settings_from(given).load_balancer_class == "duravip.io/vip"
    assert settings_from(given).serves_load_balancers
    off = [*given, "--load-balancer-class="]
    assert not settings_from(off).serves_load_balancers
    with pytest.raises(SettingsError, match="--default-load-balancer needs a --load-balancer"):
        settings_from([*off, "--default-load-balancer"])


def test_a_bad_variable_is_named_as_one(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURAVIP_MAX_ALIASES", "many")
    with pytest.raises(SettingsError, match=r"^DURAVIP_MAX_ALIASES: .*, not 'many'$"):
        settings_from(given)


def test_no_key_file_is_needed() -> None:
    assert settings_from(["--pulse-advertise=10.0.0.1:7946"]).pulse_key_file is None


def test_a_webhook_needs_its_certificate(given: list[str], tmp_path: Path) -> None:
    options = [*given, "--webhook-listen=0.0.0.0:9443", f"--webhook-cert-dir={tmp_path}"]
    with pytest.raises(SettingsError, match=r"there is no tls\.crt in it"):
        settings_from(options)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).touch()
    assert settings_from(options).webhook_cert_dir == tmp_path


def test_agents_are_told_to_beat_where_the_operator_listens(given: list[str]) -> None:
    assert (
        settings_from([given[0], "--pulse-listen=[fd00:0::1]:7946"]).pulse_advertise
        == "[fd00::1]:7946"
    )
    with pytest.raises(SettingsError, match="--pulse-advertise is required"):
        settings_from([given[0]])


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_from(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in said for name in Settings.model_fields)
    assert "--balance-interval float" in said
    assert "--fencing {Segment,Strict}" in said


@pytest.mark.parametrize("form", [JsonFormatter(), TextFormatter()])
def test_the_log_has_one_line_a_record(form: logging.Formatter) -> None:
    record = logging.LogRecord("duravip", logging.INFO, "f", 1, "node %s is lost", ("n1",), None)
    line = form.format(record)
    assert "node n1 is lost" in line
    assert "\n" not in line
    if isinstance(form, JsonFormatter):
        assert json.loads(line)["level"] == "info"


def test_a_switch_takes_no_value(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings_from(given).ignore_exclude_label
    assert settings_from([*given, "--ignore-exclude-label"]).ignore_exclude_label
    monkeypatch.setenv("DURAVIP_IGNORE_EXCLUDE_LABEL", "true")
    assert settings_from(given).ignore_exclude_label
