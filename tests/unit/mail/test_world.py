"""Which Bindings' mail may leave from a node."""

from duravip_mail.core.world import MailBinding, World


def test_a_binding_is_here_when_its_address_is_served_here() -> None:
    world = World((), frozenset({"10.1.1.1"}))
    assert world.is_here(MailBinding("a", "10.1.1.1"))
    assert not world.is_here(MailBinding("b", "10.1.1.2"))


def test_a_binding_without_an_address_is_here_everywhere() -> None:
    assert World().is_here(MailBinding("a"))
