"""Which object a Binding's name means."""

from duravip_mail.core.name_claims import (
    MAX_BINDINGS,
    BindingClaim,
    ListenerClaim,
    bindings_by_claims,
)
from duravip_mail.core.world import MailBinding

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def claim(name: str, address: str = "", created: str = OLD, namespace: str = "a") -> BindingClaim:
    return BindingClaim(created, namespace, MailBinding(name, address))


def listener(
    follows: str, address: str = "10.1.1.9", created: str = OLD, namespace: str = "a"
) -> ListenerClaim:
    return ListenerClaim(created, namespace, f"at-{follows}", address, follows)


def test_bindings_come_in_the_order_of_their_names() -> None:
    found, problems = bindings_by_claims([claim("b", "10.1.1.2"), claim("a", "10.1.1.1")], [], {})
    assert [binding.name for binding in found] == ["a", "b"]
    assert problems == []


def test_of_two_namespaces_the_older_one_has_the_name() -> None:
    for claims in (
        [claim("x", "10.1.1.1"), claim("x", "10.1.1.2", NEW, "b")],
        [claim("x", "10.1.1.2", NEW, "b"), claim("x", "10.1.1.1")],
    ):
        found, problems = bindings_by_claims(claims, [], {})
        assert found == (MailBinding("x", "10.1.1.1"),)
        assert problems == ["binding x of b is ignored: a has one"]


def test_of_the_same_age_the_namespace_decides() -> None:
    found, _ = bindings_by_claims([claim("x", "2", namespace="b"), claim("x", "1")], [], {})
    assert found == (MailBinding("x", "1"),)


def test_too_many_leave_out_the_youngest() -> None:
    crowd = [claim(f"x{number:05}") for number in range(MAX_BINDINGS)]
    found, problems = bindings_by_claims([claim("a", created=NEW), *crowd], [], {})
    assert len(found) == MAX_BINDINGS
    assert found[0].name == "x00000"
    assert problems == ["binding a of a is ignored: there are too many"]


def test_a_follower_gives_its_address_to_the_binding_of_its_namespace() -> None:
    found, _ = bindings_by_claims([claim("x"), claim("y")], [listener("x")], {})
    assert [binding.listeners for binding in found] == [("10.1.1.9",), ()]


def test_a_follower_cannot_follow_into_another_namespace() -> None:
    found, _ = bindings_by_claims([claim("x")], [listener("x", namespace="b")], {})
    assert found[0].listeners == ()


def test_an_address_with_two_followers_is_of_the_older_one() -> None:
    claims = [listener("y", created=NEW), listener("x")]
    for listeners in (claims, claims[::-1]):
        found, _ = bindings_by_claims([claim("x"), claim("y")], listeners, {})
        assert [binding.listeners for binding in found] == [("10.1.1.9",), ()]


def test_aliases_belong_to_the_present_name() -> None:
    found, problems = bindings_by_claims(
        [claim("new")], [], {"old": "new", "older": "new", "lost": "gone"}
    )
    assert found[0].aliases == ("old", "older")
    assert problems == ["alias lost is ignored: no binding gone"]
