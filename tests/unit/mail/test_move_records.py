"""Moves, from the lines that both nodes have logged."""

from duravip_mail.core.move_records import MoveRecord, move_records

QMGR = "Nov 30 16:32:52 n1 postfix/qmgr[7]: 4jd: from=<a@x>, size=2048, nrcpt=1 (queue active)"
SENT = (
    "Nov 30 16:32:53 n1 duravip-mmove/smtp[12]: 4jd: to=<u@x.example>, "
    "relay=10.1.1.2[10.1.1.2]:2526, delay=12, delays=11/0.5/0.4/0.1, dsn=2.0.0, "
    "status=sent (250 2.0.0 Ok: queued as 5kk)"
)
TAKEN = (
    "Nov 30 16:32:53 n2 duravip-mmove/smtpd[3]: 5kk: client=unknown[10.1.0.11], "
    "orig_queue_id=4jd, orig_client=localhost[127.0.0.1]"
)
DELIVERED = (
    "Nov 30 16:32:53 n1 duravip/foo/smtp[9]: 4jd: to=<u@x.example>, "
    "relay=mx[192.0.2.1]:25, delay=0.03, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)"
)


def test_a_move_has_its_time_its_size_and_the_name_that_the_message_got() -> None:
    lines = [(1.0, QMGR), (2.0, SENT), (3.0, DELIVERED)]
    assert move_records(lines) == [
        MoveRecord(
            2.0, "4jd", address="10.1.1.2", recipient="u@x.example", size=2048, result="sent",
            answer="250 2.0.0 Ok: queued as 5kk", their_queue_id="5kk",
        )
    ]  # fmt: skip


def test_a_message_that_was_taken_has_its_name_here() -> None:
    assert move_records([(5.0, TAKEN)]) == [MoveRecord(5.0, "5kk", is_taken=True)]


def test_a_size_that_was_logged_too_long_ago_is_not_known() -> None:
    (record,) = move_records([(2.0, SENT)])
    assert record.size == 0


def test_a_sender_with_a_line_of_the_log_as_its_name_moves_nothing() -> None:
    forged = QMGR.replace("a@x", '"a duravip-mmove/smtpd[3]: 5kk: client="@x')
    assert move_records([(1.0, forged)]) == []
