"""Which Binding a message gets when it enters."""

import pytest

from duravip_mail.core.assigning import AssignRule, action_for
from duravip_mail.core.tokens import token_of
from duravip_mail.core.world import MailBinding, World

KEY = b"key"
HERE, THERE, OTHER = (
    MailBinding(name, address, group="bulk")
    for name, address in (("here", "10.1.1.1"), ("there", "10.1.1.2"), ("other", "10.1.1.3"))
)
WORLD = World((HERE, THERE, OTHER), frozenset({"10.1.1.1"}))


def assignment(*rules: AssignRule, world: World = WORLD, chance: float = 0.0, **given: str) -> str:
    """The name that the answer assigns, or the answer itself."""
    action = action_for(given, rules, world, KEY, chance)
    for name in (b.name for b in world.bindings):
        if action == f"PREPEND X-DuraVIP-Binding: {name}/{token_of(KEY, name)}":
            return name
    return action


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (AssignRule("here"), True),
        (AssignRule("here", sender="a@x.example"), True),
        (AssignRule("here", sender="A@X.example"), True),
        (AssignRule("here", sender="b@x.example"), False),
        (AssignRule("here", sender="@x.example"), True),
        (AssignRule("here", sender="@example"), False),
        (AssignRule("here", listener="10.1.1.9"), True),
        (AssignRule("here", listener="10.1.1.8"), False),
        (AssignRule("here", user="me"), True),
        (AssignRule("here", user="you"), False),
        (AssignRule("here", sender="@x.example", user="you"), False),
    ],
)
def test_a_rule_fits_by_sender_listener_and_user(rule: AssignRule, fits: bool) -> None:
    given = {"sender": "a@x.EXAMPLE", "server_address": "10.1.1.9", "sasl_username": "me"}
    assert assignment(rule, **given) == ("here" if fits else "DUNNO")


def test_the_first_rule_that_fits_counts() -> None:
    rules = (AssignRule("there", sender="@no.example"), AssignRule("here"), AssignRule("other"))
    assert assignment(*rules, sender="a@x.example") == "here"


def test_no_rule_leaves_the_message_without_a_binding() -> None:
    assert assignment(sender="a@x.example") == "DUNNO"


def test_the_empty_sender_of_a_bounce_fits_no_rule_for_senders() -> None:
    assert assignment(AssignRule("here", sender="@x.example"), sender="") == "DUNNO"


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_of_a_group_a_binding_that_is_here_is_taken(chance: float) -> None:
    assert assignment(AssignRule(group="bulk"), chance=chance) == "here"


def test_of_bindings_that_are_alike_chance_decides() -> None:
    away = World((HERE, THERE, OTHER), frozenset())
    rule = AssignRule(group="bulk")
    assert [assignment(rule, world=away, chance=c) for c in (0.0, 0.4, 0.99)] == [
        "here", "there", "other",
    ]  # fmt: skip


def test_a_suspended_binding_is_the_last_choice_and_a_broken_one_is_none() -> None:
    held = MailBinding("held", "10.1.1.1", group="bulk", is_suspended=True)
    broken = MailBinding("broken", "10.1.1.1", group="bulk", is_broken=True)
    rule, served = AssignRule(group="bulk"), frozenset({"10.1.1.1"})
    assert assignment(rule, world=World((broken, held, THERE), served)) == "there"
    assert assignment(rule, world=World((broken, held), served)) == "held"
    assert assignment(rule, world=World((broken,), served)).startswith("DEFER 4.3.0")


def test_a_rule_for_what_does_not_exist_defers_the_message() -> None:
    assert assignment(AssignRule("gone")) == "DEFER 4.3.0 there is no binding gone"
    missing = "DEFER 4.3.0 there is no binding in group none"
    assert assignment(AssignRule(group="none")) == missing


def test_without_a_rule_the_listener_s_binding_counts() -> None:
    world = World((HERE, MailBinding("x", "10.1.1.4", listeners=("10.1.1.9", "fd00::9"))))
    for listener in ("10.1.1.9", "fd00::9"):
        assert assignment(world=world, server_address=listener) == "x"
        rule = AssignRule("here", listener=listener)
        assert assignment(rule, world=world, server_address=listener) == "here"
    assert assignment(world=world, server_address="10.1.1.8") == "DUNNO"
    assert assignment(world=world) == "DUNNO"


def test_a_rule_may_name_a_binding_by_a_former_name() -> None:
    action = action_for(
        {}, [AssignRule("old")], World((MailBinding("x", aliases=("old",)),)), KEY, 0
    )
    assert action == f"PREPEND X-DuraVIP-Binding: old/{token_of(KEY, 'old')}"
