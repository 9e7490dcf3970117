"""What a leader of the long histories says of its decisions, as the program does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from duravip_operator.core import moves, object_status
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Snapshot
from duravip_runtime.api_error import ApiError
from simulation.histories.apiserver import Key
from simulation.histories.heart import Surroundings


class Reporting:
    """Writes the status of every DuraVIP and Binding of which there is something new to say."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.forget()

    def forget(self) -> None:
        """Leadership changed hands: what the statuses say now is all that is known."""
        self._said: dict[str, Mapping[str, Any]] = {}
        self._verdicts: dict[str, AddressStatus] = {}
        self._departures: moves.PendingMoves = {}

    def report(self, snapshot: Snapshot, decided: Decision) -> None:
        """Say what is new."""
        clock = self._around.clock

        def last_heard(node: str) -> float:
            silence = snapshot.suspicions.get(node)
            return silence.last_heard if silence else clock.now

        moment = object_status.Timestamp(clock.now, clock.stamp)
        after = moves.update_pending_moves(self._departures, self._verdicts, decided, last_heard)
        for vip in snapshot.vips:
            base = replace(vip, status=self._said.get(vip.uid, vip.status))
            departure = self._departures.get(vip.address)
            verdict = decided.status_of(vip)
            status = object_status.object_status(base, verdict, departure, moment)
            if status != base.status:
                self._said[vip.uid] = status
                self._write(Key(vip.kind, vip.name), status)
        self._departures, self._verdicts = after, dict(decided.address_statuses)

    def _write(self, key: Key, status: Mapping[str, Any]) -> None:
        old = (self._around.api.read(key) or {}).get("status") or {}
        try:
            self._around.api.put_status(key, dict.fromkeys(old) | dict(status))
        except ApiError:
            return  # it was deleted meanwhile
