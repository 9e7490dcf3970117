"""What a mail server has to know: the Bindings that there are, and the addresses that are here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailBinding:
    """A named source address, as far as mail is concerned."""

    name: str
    """Unique in the cluster, in small letters, digits, dots and dashes."""
    address: str = ""
    """In canonical form. Empty: it has none, and its mail leaves from the node's own address."""
    group: str = ""
    is_suspended: bool = False
    """Whether its mail is held where it is."""
    is_broken: bool = False
    """Whether the operator refuses to manage its address: its mail must not leave."""
    is_managed: bool = True
    """Whether DuraVIP moves its address. One that it does not move is expected on every node:
    where it is missing, mail waits."""
    aliases: tuple[str, ...] = ()
    """Former names: mail that has one of them is mail of this Binding."""
    listeners: tuple[str, ...] = ()
    """Addresses in canonical form: mail that enters there is given this Binding."""


@dataclass(frozen=True, slots=True)
class World:
    """One look at all of it."""

    bindings: tuple[MailBinding, ...] = ()
    served: frozenset[str] = frozenset()
    """The addresses that this node serves, by its agent's word, in canonical form."""

    def is_here(self, binding: MailBinding) -> bool:
        """Whether mail of this Binding may leave from this node."""
        is_everywhere = not binding.address or not binding.is_managed
        return is_everywhere or binding.address in self.served

    def by_name(self) -> Mapping[str, MailBinding]:
        """Every Binding by each of its names: a name that one has now is nobody's former one."""
        former = {alias: binding for binding in self.bindings for alias in binding.aliases}
        return former | {binding.name: binding for binding in self.bindings}
