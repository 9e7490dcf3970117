"""Which queued messages are given another route."""

from duravip_mail.core.routes import UNKNOWN_ROUTE, routes
from duravip_mail.core.staleness import is_stale, routes_in
from duravip_mail.core.world import MailBinding, World

A = MailBinding("a", "10.1.1.1")
MOVED = "mmove:[10.1.1.1]:2526"


def current(*bindings: MailBinding, served: str = "") -> frozenset[str]:
    return routes_in(routes(World(bindings, frozenset({served}))))


def test_the_routes_of_a_table_are_what_queue_files_keep() -> None:
    assert current(A, served="10.1.1.1") == {"b-a:"}
    assert current(A) == {MOVED}


def test_what_refuses_mail_is_no_route() -> None:
    assert routes_in({"a": "REJECT 4.3.2 not here"}) == frozenset()


def test_a_message_is_stale_when_the_address_has_gone_or_come() -> None:
    assert is_stale("b-a:", current(A))
    assert is_stale(MOVED, current(A, served="10.1.1.1"))
    assert not is_stale("b-a:", current(A, served="10.1.1.1"))
    assert not is_stale(MOVED, current(A))


def test_a_message_is_stale_when_its_binding_was_edited_suspended_resumed_or_deleted() -> None:
    held = "retry:4.3.2 binding a is suspended"
    suspended = MailBinding("a", "10.1.1.1", is_suspended=True)
    assert is_stale(MOVED, current(MailBinding("a", "10.1.1.9")))
    assert is_stale("b-a:", current(suspended, served="10.1.1.1"))
    assert is_stale(held, current(A, served="10.1.1.1"))
    assert not is_stale(held, current(suspended))
    assert is_stale("b-a:", current())


def test_a_message_without_a_binding_is_never_stale() -> None:
    assert not is_stale("", current(A))


def test_mail_of_an_unknown_binding_is_looked_at_again_when_there_are_new_names_only() -> None:
    assert not is_stale(UNKNOWN_ROUTE, current(A))
    assert is_stale(UNKNOWN_ROUTE, current(A), has_new_names=True)
