"""Which Binding a message gets when it enters: by the first rule that fits.

Where no rule fits it is that of the address which the client is connected to, if there is one.

A group stands for one of its Bindings: one of those that are here and not suspended, else one that
is not suspended, else any. So mail that may leave from here does not travel between nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from duravip_mail.core.routes import HEADER
from duravip_mail.core.tokens import token_of
from duravip_mail.core.world import World

NO_ACTION = "DUNNO"


@dataclass(frozen=True, slots=True)
class AssignRule:
    """Either `binding` or `group` is given; of the rest, what is empty fits every message."""

    binding: str = ""
    group: str = ""
    sender: str = ""
    """The envelope's sender, or `@` and a domain."""
    listener: str = ""
    """The address that the client is connected to."""
    user: str = ""
    """The name that the client has logged in with."""

    def fits(self, request: Mapping[str, str]) -> bool:
        """Whether it is about this message: attributes as in Postfix' SMTPD_POLICY_README."""
        sender, wanted = request.get("sender", "").lower(), self.sender.lower()
        is_domain = wanted.startswith("@")
        return (
            (not wanted or (sender.endswith(wanted) if is_domain else sender == wanted))
            and self.listener in ("", request.get("server_address", ""))
            and self.user in ("", request.get("sasl_username", ""))
        )


def action_for(
    request: Mapping[str, str],
    rules: Sequence[AssignRule],
    world: World,
    key: bytes,
    chance: float,
) -> str:
    """The answer of the policy service, an action of access(5).

    `chance`, from 0 up to but not including 1, picks among the Bindings of a group that are alike.
    A rule without a Binding that exists defers the message: it must not leave from elsewhere.
    """
    rule = next((rule for rule in rules if rule.fits(request)), None)
    if rule is None:
        listener = request.get("server_address", "")
        name = next((b.name for b in world.bindings if listener in b.listeners), "")
        return _prepended(name, key) if name else NO_ACTION
    name = rule.binding or _member_of(rule.group, world, chance)
    if name not in world.by_name():
        missing = f"no binding {name}" if name else f"no binding in group {rule.group}"
        return f"DEFER 4.3.0 there is {missing}"
    return _prepended(name, key)


def _prepended(name: str, key: bytes) -> str:
    return f"PREPEND {HEADER}: {name}/{token_of(key, name)}"


def _member_of(group: str, world: World, chance: float) -> str:
    members = [b for b in world.bindings if b.group == group and not b.is_broken]
    awake = [b for b in members if not b.is_suspended]
    here = [b for b in awake if world.is_here(b)]
    choice = here or awake or members
    return choice[int(chance * len(choice))].name if choice else ""
