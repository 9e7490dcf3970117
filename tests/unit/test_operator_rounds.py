"""When a pass is a round of balancing."""

from pathlib import Path

from duravip_operator.rounds import Rounds
from duravip_operator.settings import Settings


def test_a_round_is_due_once_in_every_interval(tmp_path: Path) -> None:
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
    rounds = Rounds(settings, lambda: now)
    assert rounds.due() is None
    now = 110.5
    assert rounds.due() == 7
    assert rounds.due() is None
    now = 121.0
    assert rounds.due() == 7
