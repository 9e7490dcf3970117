"""Owners on their way out: who left an address, why, and since when nobody serves it.

This is what `lastMove` is made from once the next owner serves the address. The reason is taken
when the former owner is first seen to lose it: later passes no longer know that there was one. An
owner that merely fails to serve it has lost it for no reason yet: the one that comes counts.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from duravip_api.reasons import MoveReason, State
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.decision import Decision
from duravip_operator.core.verdicts import Verdict


class Departure(NamedTuple):
    """An owner that no longer serves an address, until another one does."""

    owner: str
    reason: MoveReason
    at: float
    """Since when nobody was seen to serve it: the operator's clock, in seconds."""


Departures = Mapping[str, Departure]


def departures(
    former: Departures,
    before: Mapping[str, Verdict],
    decision: Decision,
    last_heard: Callable[[str], float],
) -> Departures:
    """`{address: Departure}` of every address that no owner serves after this decision.

    `before` are the verdicts of the last pass; `last_heard` gives for each node the time up to
    which it may be taken to have served: for one that is not silent, now.
    """
    found: dict[str, Departure] = {}
    for address, verdict in decision.verdicts.items():
        if verdict.state is State.OWNED:
            continue
        known = former.get(address)
        if known and verdict.owner == known.owner:
            found[address] = known._replace(at=last_heard(known.owner))
            continue
        choice = decision.choices.get(address)
        if known:
            is_open = choice and known.reason is MoveReason.ELECTED
            found[address] = known._replace(reason=choice.cause) if choice and is_open else known
        else:
            owner = _owner_before(before.get(address), decision.units[address])
            if owner and choice:
                found[address] = Departure(owner, choice.cause, last_heard(owner))
    return found


def _owner_before(verdict: Verdict | None, unit: Unit) -> str:
    """Who owned it; after a change of leader only the status knows."""
    if verdict:
        return verdict.owner if verdict.state is State.OWNED else ""
    return next((str(e.status["owner"]) for e in unit.entities if e.status.get("owner")), "")
