"""Lines of Postfix' log, as it wrote them."""

import pytest

from duravip_mail.core.audit import BindRefused, Delivery, event_in

SENT = (
    "Nov 30 16:32:53 n1 duravip/foo/smtp[9]: 4jdV1d5M8Dz1SCvC: to=<u@x.example>, "
    "relay=mx.x.example[192.0.2.1]:25, delay=0.03, delays=0.01/0.01/0.01/0, dsn=2.0.0, "
    "status=sent (250 2.0.0 Ok: queued as 9F)"
)
MOVED = (
    "Nov 30 16:32:53 n1 duravip-mmove/smtp[12]: 4jdV1d5VYgz1SCvF: to=<u@x.example>, "
    "relay=10.1.1.2[10.1.1.2]:2526, conn_use=3, delay=12, delays=11/0.5/0.4/0.1, dsn=2.0.0, "
    "status=sent (250 2.0.0 Ok: queued as 4jdV1d5VYgz1SDdD)"
)
UNANSWERED = (
    "Nov 30 16:32:53 n1 duravip-mmove/smtp[12]: 4jdV1d5VYgz1SCvF: to=<u@x.example>, relay=none, "
    "delay=3, delays=0/0/3/0, dsn=4.4.1, status=deferred (connect to fd00::5[fd00::5]:2526: "
    "Connection timed out)"
)
REFUSED = (
    "Nov 30 16:32:53 n1 duravip/a.b/smtp[9]: warning: smtp_connect_addr: bind 10.1.1.1: "
    "Cannot assign requested address"
)


def test_a_delivery_is_one_of_its_binding() -> None:
    assert event_in(SENT) == Delivery(
        binding="foo",
        address="192.0.2.1",
        queue_id="4jdV1d5M8Dz1SCvC",
        recipient="u@x.example",
        delay_s=0.03,
        status="sent",
        answer="250 2.0.0 Ok: queued as 9F",
        their_queue_id="9F",
    )


def test_a_move_tells_where_to_and_the_message_s_name_there() -> None:
    found = event_in(MOVED)
    assert isinstance(found, Delivery)
    assert found.is_move
    assert (found.address, found.their_queue_id) == ("10.1.1.2", "4jdV1d5VYgz1SDdD")
    assert (found.delay_s, found.status) == (12.0, "sent")


def test_a_move_that_nobody_answers_has_no_address() -> None:
    found = event_in(UNANSWERED)
    assert isinstance(found, Delivery)
    assert (found.address, found.status, found.their_queue_id) == ("", "deferred", "")


def test_an_address_that_is_not_there_is_told_with_its_binding() -> None:
    assert event_in(REFUSED) == BindRefused("a.b")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Nov 30 16:32:53 n1 postfix/qmgr[3]: 4jdV: from=<a@x>, size=310, nrcpt=1 (queue active)",
        "Nov 30 16:32:53 n1 postfix/smtp[9]: 4jdV: to=<a@x>, relay=none, delay=1, delays=0/0/1/0, "
        "dsn=2.0.0, status=sent (250 Ok)",
        "Nov 30 16:32:53 n1 duravip/foo/smtp[9]: warning: host mx[192.0.2.1]:25 said no",
        "Nov 30 16:32:53 n1 duravip-mmove/smtpd[9]: connect from n2[10.1.0.12]",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert event_in(line) is None
