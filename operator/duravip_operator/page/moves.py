"""The tape: the last moves of all addresses, the latest first.

An object's status tells of its last move only. The tape is made of those, and of the ones before
them that this replica has seen come and go. So it is the same on every replica that has run for a
while, a new leader has it, and one that has just started has the last move of each address.
"""

from collections import deque
from collections.abc import Iterable
from heapq import nlargest
from typing import Any, Final, NamedTuple

from duravip_operator.core.snapshot import VipObject

TAPE_LENGTH: Final = 200


class ToldMove(NamedTuple):
    """An address got another owner, or was without one for a while."""

    time: str
    """RFC 3339, with fractions."""
    address: str
    id: str
    """The object that tells of it, e.g. `DuraVIP mail/smtp-1`."""
    former: str
    """Empty: it had no owner before."""
    owner: str
    reason: str
    gap_ms: int | None
    """How long nobody was seen to serve it; None: not known."""

    def as_json(self) -> dict[str, Any]:
        """As the page shows it."""
        row = {"time": self.time, "address": self.address, "id": self.id, "from": self.former}
        row |= {"to": self.owner, "reason": self.reason}
        gap = {} if self.gap_ms is None else {"gap": self.gap_ms}
        return {**{key: value for key, value in row.items() if value}, **gap}


def last_move(vip: VipObject) -> ToldMove | None:
    """The move that the object's status tells of."""
    told = vip.status.get("lastMove")
    if not told or not told.get("time"):
        return None
    address = str(vip.status.get("address") or vip.address)
    former, owner, reason = (str(told.get(name) or "") for name in ("from", "to", "reason"))
    gap = told.get("gapMilliseconds")
    return ToldMove(str(told["time"]), address, vip.label, former, owner, reason, gap)


def latest(moves: Iterable[ToldMove]) -> list[ToldMove]:
    """The last moves, each once, the latest first; of one moment in the order of addresses."""
    return nlargest(TAPE_LENGTH, set(moves), key=lambda move: move[:3])


class MoveTape:
    """Remembers moves as they are told."""

    def __init__(self) -> None:
        self._seen: deque[ToldMove] = deque(maxlen=TAPE_LENGTH)

    def record(self, vip: VipObject) -> None:
        """Its status tells of another move than before. Costs next to nothing."""
        if move := last_move(vip):
            self._seen.append(move)

    def recent(self) -> tuple[ToldMove, ...]:
        """What was told lately. From any thread."""
        return tuple(self._seen)
