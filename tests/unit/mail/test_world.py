"""Which Bindings' mail may leave from a node."""

from duravip_mail.core.world import MailBinding, World


def test_a_binding_is_here_when_its_address_is_served_here() -> None:
    world = World((), frozenset({"10.1.1.1"}))
    assert world.is_here(MailBinding("a", "10.1.1.1"))
    assert not world.is_here(MailBinding("b", "10.1.1.2"))


def test_a_binding_without_an_address_is_here_everywhere() -> None:
    assert World().is_here(MailBinding("a"))


def test_a_binding_that_nobody_moves_is_here_everywhere() -> None:
    assert World().is_here(MailBinding("a", "10.1.1.1", is_managed=False))


def test_a_present_name_is_nobody_s_former_one() -> None:
    new, taken = MailBinding("new", aliases=("old", "taken")), MailBinding("taken")
    for bindings in ((new, taken), (taken, new)):
        assert World(bindings).by_name() == {"old": new, "new": new, "taken": taken}
