"""Where the mail of a Binding goes, for every state of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_mail.core.routes import (
    LONGEST_NAME,
    UNKNOWN_ROUTE,
    accepted,
    assigned,
    route_of,
    routes,
    transport_of,
)
from duravip_mail.core.tokens import token_of
from duravip_mail.core.world import MailBinding, World

HERE, AWAY = "10.1.1.1", "10.1.1.2"
SERVED = frozenset({HERE})
HELD = "FILTER retry:4.3.2 binding a is suspended"
BROKEN = "FILTER retry:4.3.0 binding a is broken"
REFUSED = "REJECT 4.3.2 binding a is not on this node"

bindings = st.builds(
    MailBinding,
    name=st.sampled_from(["a", "b", "c.d"]),
    address=st.sampled_from(["", HERE, AWAY, "fd00::1"]),
    is_suspended=st.booleans(),
    is_broken=st.booleans(),
    is_managed=st.booleans(),
    aliases=st.lists(st.sampled_from(["a", "old"]), max_size=2).map(tuple),
)
worlds = st.builds(
    World,
    st.lists(bindings, unique_by=lambda b: b.name).map(tuple),
    st.frozensets(st.sampled_from([HERE, AWAY, "fd00::1"])),
)


@pytest.mark.parametrize(
    ("binding", "entering", "handed_over"),
    [
        (MailBinding("a", HERE), "FILTER b-a:", "FILTER b-a:"),
        (MailBinding("a", AWAY), f"FILTER mmove:[{AWAY}]:2526", REFUSED),
        (MailBinding("a", "fd00::1"), "FILTER mmove:[fd00::1]:2526", REFUSED),
        (MailBinding("a"), "FILTER b-a:", "FILTER b-a:"),
        (MailBinding("a", AWAY, is_managed=False), "FILTER b-a:", "FILTER b-a:"),
        (MailBinding("a", HERE, is_suspended=True), HELD, HELD),
        (MailBinding("a", AWAY, is_suspended=True), HELD, REFUSED),
        (MailBinding("a", HERE, is_broken=True), BROKEN, BROKEN),
        (MailBinding("a", AWAY, is_broken=True), BROKEN, BROKEN),
        (MailBinding("a", HERE, is_suspended=True, is_broken=True), BROKEN, BROKEN),
    ],
)
def test_every_state_of_a_binding_has_its_route(
    binding: MailBinding, entering: str, handed_over: str
) -> None:
    world = World((binding,), SERVED)
    assert routes(world) == {"a": entering}
    assert accepted(world) == {"a": handed_over}


@given(worlds)
def test_mail_is_sent_from_an_address_only_where_that_address_is_served(world: World) -> None:
    for table in (routes(world), accepted(world), assigned(world, b"key", ())):
        for binding in world.bindings:
            sent = [v for v in table.values() if v == f"FILTER {transport_of(binding)}:"]
            assert not sent or world.is_here(binding)


def test_a_former_name_goes_where_the_present_one_goes() -> None:
    world = World((MailBinding("a", AWAY, aliases=("old",)),), SERVED)
    assert routes(world)["old"] == routes(world)["a"] == f"FILTER mmove:[{AWAY}]:2526"
    assert accepted(world)["old"] == accepted(world)["a"] == REFUSED
    assert set(assigned(world, b"k", ())) == {f"{n}/{token_of(b'k', n)}" for n in ("a", "old")}


@given(worlds)
def test_what_is_handed_over_is_never_sent_on(world: World) -> None:
    assert not [value for value in accepted(world).values() if "mmove" in value]


@given(worlds)
def test_assigned_mail_goes_where_the_binding_s_mail_goes(world: World) -> None:
    table = assigned(world, b"key", ())
    for binding in world.bindings:
        row = f"{binding.name}/{token_of(b'key', binding.name)}"
        assert table[row] == f"FILTER {route_of(binding, world)}"


def test_mail_that_was_just_assigned_to_a_binding_that_is_gone_waits() -> None:
    before = assigned(World((MailBinding("a", HERE), MailBinding("b", HERE)), SERVED), b"k", ())
    after = assigned(World((MailBinding("b", HERE),), SERVED), b"k", before.keys())
    assert after == {
        f"a/{token_of(b'k', 'a')}": f"FILTER {UNKNOWN_ROUTE}",
        f"b/{token_of(b'k', 'b')}": "FILTER b-b:",
    }


def test_a_long_name_still_makes_the_name_of_a_socket() -> None:
    long = ["x" * (LONGEST_NAME + 1), "x" * 253]
    transports = {transport_of(MailBinding(name)) for name in long}
    assert len(transports) == len(long)
    assert max(map(len, transports)) < LONGEST_NAME
    assert transport_of(MailBinding("x" * LONGEST_NAME)) == f"b-{'x' * LONGEST_NAME}"
