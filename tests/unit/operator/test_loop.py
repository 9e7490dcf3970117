"""When a pass balances."""

from pathlib import Path

from duravip_operator.loop import BalanceTimer
from duravip_operator.settings import Settings


def test_a_pass_balances_once_in_every_interval(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a" * 64)
    now = 100.0
    settings = Settings(
        identity="one",
        pulse_advertise="10.0.0.1:7946",
        pulse_key_file=key,
        balance_interval=10,
        balance_set_size=7,
    )
    timer = BalanceTimer(settings, lambda: now)
    assert timer.moves_allowed() is None
    now = 110.5
    assert timer.moves_allowed() == 7
    assert timer.moves_allowed() is None
    now = 121.0
    assert timer.moves_allowed() == 7


def test_an_interval_of_nothing_turns_balancing_off() -> None:
    now = 100.0
    settings = Settings(identity="one", pulse_advertise="10.0.0.1:7946", balance_interval=0)
    timer = BalanceTimer(settings, lambda: now)
    assert timer.moves_allowed() is None
    now = 1e9
    assert timer.moves_allowed() is None
