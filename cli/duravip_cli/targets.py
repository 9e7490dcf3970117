"""What the arguments of a verb name: addresses, objects and nodes, also as kubectl has them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from duravip_api import GROUP
from duravip_api.addresses import parse_address
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import Body, EntityKind, name_of, namespace_of, spec_of

_KINDS: Final[dict[str, EntityKind]] = {
    **dict.fromkeys(("duravip", "duravips", "dvip"), "DuraVIP"),
    **dict.fromkeys(("binding", "bindings", "vipbinding", "vipbindings", "dvb"), "Binding"),
}
"""How kubectl calls our kinds."""
_NODE: Final = frozenset({"node", "nodes", "no", "nodeplumbing", "nodeplumbings", "dvn"})


class Target(NamedTuple):
    """An address, or one object or several of one name."""

    text: str
    """As it was given."""
    address: str = ""
    """In canonical form; empty: it is no address."""
    kind: EntityKind | None = None
    namespace: str = ""
    """Empty: any."""
    name: str = ""

    def names(self, kind: EntityKind, body: Body) -> bool:
        """Whether it names this object."""
        if self.address and spec_of(body).get("address") == self.address:
            return True
        return (
            name_of(body) == self.name
            and self.kind in {None, kind}
            and self.namespace in {"", namespace_of(body)}
        )


def parse_target(text: str, namespace: str = "") -> Target:
    """ADDRESS, NAME, NAMESPACE/NAME or TYPE/NAME; a name alone is one of this namespace.

    Raises CommandError for a TYPE of which there are no addresses.
    """
    try:
        return Target(text, str(parse_address(text)), None, namespace, text)
    except ValueError:
        pass
    first, slash, rest = text.partition("/")
    if not slash:
        return Target(text, "", None, namespace, text)
    if first.lower().removesuffix(f".{GROUP}") in _NODE:
        raise CommandError(
            f"{text} is a node: here an address or its object is wanted", ExitCode.USAGE
        )
    if kind := _KINDS.get(first.lower().removesuffix(f".{GROUP}")):
        return Target(text, "", kind, namespace, rest)
    return Target(text, "", None, first, rest)


def parse_node(text: str) -> str:
    """The name of a node: NODE or node/NODE. Raises CommandError for an object of another kind."""
    first, slash, rest = text.partition("/")
    if not slash:
        return text
    if first.lower().removesuffix(f".{GROUP}") not in _NODE:
        raise CommandError(f"{text} is no node", ExitCode.USAGE)
    return rest


def listed(targets: Iterable[Target]) -> str:
    """As they were given, for a message."""
    return ", ".join(target.text for target in targets)
