"""Which of a cluster's objects is the Binding that a name in a message means.

A message has a Binding's name and no namespace. Where Bindings of two namespaces have one name it
is that of the older object, so that nobody takes a name from another by making an object; and in
the same way an address at which two DuraVIPs give mail different Bindings is that of the older.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from duravip_mail.core.world import MailBinding

MAX_BINDINGS: Final = 2000
"""The oldest count: Postfix has three file descriptors and a part of a file for each."""


@dataclass(frozen=True, slots=True)
class BindingClaim:
    """One object of kind Binding."""

    created: str
    """Time stamps of the API server order by their text."""
    namespace: str
    binding: MailBinding


@dataclass(frozen=True, slots=True)
class ListenerClaim:
    """One DuraVIP that follows a Binding."""

    created: str
    namespace: str
    name: str
    address: str
    """In canonical form."""
    follows: str
    """The name of a Binding in the same namespace."""


def bindings_by_claims(
    bindings: Iterable[BindingClaim],
    listeners: Iterable[ListenerClaim],
    aliases: Mapping[str, str],
) -> tuple[tuple[MailBinding, ...], list[str]]:
    """The Bindings in the order of their names, and what is wrong with the others.

    `aliases` are former names, each with the name that its mail has now.
    """
    problems: list[str] = []
    held: dict[str, BindingClaim] = {}
    for claim in sorted(bindings, key=lambda c: (c.created, c.namespace, c.binding.name)):
        name = claim.binding.name
        if name in held:
            holder = held[name].namespace
            problems.append(f"binding {name} of {claim.namespace} is ignored: {holder} has one")
        elif len(held) >= MAX_BINDINGS:
            problems.append(f"binding {name} of {claim.namespace} is ignored: there are too many")
        else:
            held[name] = claim
    heard = dict(_listeners(sorted(listeners, key=_age), held))
    problems += [f"alias {old} is ignored: no binding {new}" for old, new in aliases.items()
                 if new not in held]  # fmt: skip
    found = (
        replace(
            held[name].binding,
            aliases=tuple(sorted(old for old, new in aliases.items() if new == name)),
            listeners=tuple(sorted(a for a, follows in heard.items() if follows == name)),
        )
        for name in sorted(held)
    )
    return tuple(found), problems


def _age(claim: ListenerClaim) -> tuple[str, str, str]:
    return claim.created, claim.namespace, claim.name


def _listeners(
    claims: Sequence[ListenerClaim], held: Mapping[str, BindingClaim]
) -> Iterator[tuple[str, str]]:
    """By address: the Binding that mail which enters there is given; the oldest counts."""
    for claim in reversed(claims):
        holder = held.get(claim.follows)
        if holder and holder.namespace == claim.namespace:
            yield claim.address, claim.follows
