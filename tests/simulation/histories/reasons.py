"""Whether a change of owner has a cause: something that has happened and may have led to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from duravip_api.reasons import MoveReason
from simulation.histories.actions import KINDS
from simulation.histories.cluster import Cluster
from simulation.histories.network import NODES
from simulation.histories.wishes import vip

_ANYTHING = frozenset({MoveReason.BALANCE, MoveReason.ELECTED})
"""What may follow from whatever has happened: loads and leaders change with everything."""

_OF_NODES = frozenset(
    {MoveReason.NODE_LOST, MoveReason.DRAIN, MoveReason.LINK_DOWN, MoveReason.REPAIR_FAILED}
)
"""What happens to the node that an address leaves."""


class Reasons:
    """Remembers what has happened since all was at rest."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._happened: list[tuple[str, Sequence[Any]]] = [("begins", ())]
        self.moves = 0

    def note(self, name: str, which: Sequence[Any]) -> None:
        """Something happens."""
        self._happened.append((name, tuple(which)))

    def forget(self) -> None:
        """All is at rest."""
        self._happened = []

    def judge(self, name: str, move: Mapping[str, Any]) -> str:
        """What is wrong with a move; empty: nothing."""
        self.moves += 1
        reason = MoveReason(move["reason"])
        if self._is_caused(name, move, reason):
            return ""
        return f"{name} moved without a cause: {dict(move)} after {self._happened}"

    def _is_caused(self, name: str, move: Mapping[str, Any], reason: MoveReason) -> bool:
        if not move.get("from") or reason in _ANYTHING:
            return bool(self._happened)
        if reason is MoveReason.FOLLOW:
            return bool(self._happened) and name == "c"
        if reason is MoveReason.PREFERENCE:
            return bool(self._happened) and self._may_prefer(name)
        return any(
            reason in KINDS[what].reasons
            and (reason not in _OF_NODES or self._concerns(move, which))
            for what, which in self._happened
            if what in KINDS
        )

    def _may_prefer(self, name: str) -> bool:
        changed = any(what == "prefers" for what, _ in self._happened)
        body = self._cluster.api.read(vip(name))
        return changed or bool(body and body["spec"].get("preference"))

    @staticmethod
    def _concerns(move: Mapping[str, Any], which: Sequence[Any]) -> bool:
        """Whether it may have made the address leave a node that is not its owner now.

        That need not be the last one that has served it: another one may have been chosen since,
        and have fallen out before it served anything. Where the last one has it again, it is that
        node which the address has left.
        """
        named = [part for part in which if part in NODES]
        return not named or named != [move["to"]] or move["from"] == move["to"]
