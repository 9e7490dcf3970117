"""What acknowledgements prove."""

from duravip_agent.core.acknowledgements import AckedHeartbeat, changes_contact, newest_ack
from duravip_agent.core.watchdog_rule import DEFAULTS, LeaderContact, Timeouts

FIRST = AckedHeartbeat(7, LeaderContact(10.0, 2, 5))
READ = 2
"""The epoch of the spec that was read."""


def known(
    before: AckedHeartbeat | None, heard: AckedHeartbeat, epoch: int = READ
) -> AckedHeartbeat:
    return newest_ack(before, heard, epoch)


def test_a_newer_beat_that_was_acknowledged_extends_contact() -> None:
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 5))).contact.sent == 10.1


def test_the_same_beat_acknowledged_again_brings_news_and_no_more_time() -> None:
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 6))).contact == LeaderContact(
        10.0, 2, 6
    )


def test_an_acknowledgement_that_comes_late_takes_nothing_back() -> None:
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, 2, 4))) == FIRST
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, 2, 6))).contact == LeaderContact(
        10.0, 2, 6
    )
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 4))) == FIRST
    assert known(None, FIRST) == FIRST


def test_an_epoch_that_no_spec_has_named_yet_does_not_make_an_earlier_beat_count() -> None:
    assert known(FIRST, AckedHeartbeat(6, LeaderContact(9.9, READ + 1, 9))) == FIRST


def test_a_former_leader_is_not_believed_and_a_new_one_is() -> None:
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 1, 9))) == FIRST
    assert known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 3, 1))).contact == LeaderContact(
        10.1, 3, 1
    )
    assert known(
        FIRST, AckedHeartbeat(6, LeaderContact(9.9, 3, 1)), epoch=3
    ).contact == LeaderContact(9.9, 3, 1)
    assert known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 3, 1))).contact == LeaderContact(
        10.0, 3, 1
    )


def test_a_forged_epoch_makes_no_true_acknowledgement_void() -> None:
    forged = known(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2**31 - 2, 5)))
    assert known(forged, AckedHeartbeat(9, LeaderContact(10.2, 2, 5))).contact == LeaderContact(
        10.2, 2, 5
    )


def test_a_forged_generation_lasts_no_longer_than_to_the_next_acknowledgement() -> None:
    forged = known(FIRST, AckedHeartbeat(7, LeaderContact(10.0, 2, 10**9)))
    assert known(forged, AckedHeartbeat(8, LeaderContact(10.1, 2, 5))).contact == LeaderContact(
        10.1, 2, 5
    )


def test_news_is_another_spec_or_contact_after_a_gap() -> None:
    assert changes_contact(None, FIRST, DEFAULTS)
    assert not changes_contact(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 5)), DEFAULTS)
    assert changes_contact(FIRST, AckedHeartbeat(8, LeaderContact(10.1, 2, 6)), DEFAULTS)
    assert changes_contact(
        FIRST, AckedHeartbeat(8, LeaderContact(10.25, 2, 5)), Timeouts(contact=0.25)
    )
