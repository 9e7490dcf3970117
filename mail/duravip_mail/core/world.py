"""What a mail server has to know: the Bindings that there are, and the addresses that are here."""

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


@dataclass(frozen=True, slots=True)
class World:
    """One look at all of it."""

    bindings: tuple[MailBinding, ...] = ()
    served: frozenset[str] = frozenset()
    """The addresses that this node serves, by its agent's word, in canonical form."""

    def is_here(self, binding: MailBinding) -> bool:
        """Whether mail of this Binding may leave from this node."""
        return not binding.address or binding.address in self.served
