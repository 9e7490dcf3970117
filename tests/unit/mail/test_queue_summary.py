"""The queue by Binding and domain."""

from duravip_mail.core.queue_summary import QueueEntry, QueueRow, own_routes, summarize_queue
from duravip_mail.core.routes import UNKNOWN_ROUTE
from duravip_mail.core.world import MailBinding

LONG = MailBinding("x" * 100, "10.1.1.3")
KNOWN = (MailBinding("foo", "10.1.1.1", group="bulk"), MailBinding("bar", "10.1.1.2"), LONG)
X, Y = frozenset({"x.example"}), frozenset({"y.example"})


def test_messages_are_counted_by_binding_and_domain() -> None:
    entries = [
        QueueEntry("b-foo:", "deferred", 50, X),
        QueueEntry("b-foo:", "active", 40, X),
        QueueEntry("b-foo:", "hold", 60, X | Y),
        QueueEntry("b-bar:", "incoming", 70, X),
    ]
    assert summarize_queue(entries, KNOWN) == [
        QueueRow("default", "bar", "x.example", 1, 0, 70),
        QueueRow("bulk", "foo", "x.example", 1, 2, 40),
        QueueRow("bulk", "foo", "y.example", 0, 1, 60),
    ]


def test_mail_for_another_node_is_listed_by_the_address_that_it_goes_to() -> None:
    entry = QueueEntry("mmove:[fd00::1]:2526", "deferred", 1, X)
    assert summarize_queue([entry], KNOWN) == [QueueRow("default", "#mmove", "fd00::1", 0, 1, 1)]


def test_every_message_has_a_row_whatever_its_route_is() -> None:
    expected = {
        "": "default",
        "b-gone:": "gone",
        UNKNOWN_ROUTE: "-",
        "retry:4.3.2 binding gone is suspended": "-",
        "retry:4.3.2 binding foo is suspended": "foo",
        "retry:4.3.0 binding foo is broken": "foo",
        own_routes(LONG)[0]: LONG.name,
    }
    for route, name in expected.items():
        (row,) = summarize_queue([QueueEntry(route, "deferred", 1, X)], KNOWN)
        assert row.binding == name


def test_a_row_has_the_reason_why_most_of_its_messages_wait() -> None:
    reasons = ("refused", "", "no answer", "no answer")
    entries = [QueueEntry("b-foo:", "deferred", 1, X, reason) for reason in reasons]
    (row,) = summarize_queue(entries, KNOWN)
    assert row.reason == "no answer"
