"""The owners that the election would choose after an event: the snapshot, changed and decided."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.addresses import to_int
from duravip_api.reasons import MoveReason, Reason, State
from duravip_cli.explain.inferred_snapshot import presumed_silence
from duravip_cli.explain.standings import decide_now
from duravip_operator.core import election
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Liveness, Snapshot


class Change(NamedTuple):
    """An address that would change its owner."""

    address: str
    before: str
    """The owner now; empty: none."""
    after: str
    """The owner then; empty: none."""
    reason: str
    message: str
    """Why it would have no owner."""

    def as_json(self) -> dict[str, str]:
        """As `-o json` prints it."""
        names = ("address", "from", "to", "reason", "message")
        return dict(zip(names, self, strict=True))


class Forecast(NamedTuple):
    """The outcome for all addresses."""

    changes: list[Change]
    unchanged: int
    load: Mapping[str, int]
    """`{node: number of its addresses}`."""

    @property
    def is_loss(self) -> bool:
        """Whether an address loses its owner without an edit that wants that."""
        return any(c.before and not c.after and c.message for c in self.changes)


def with_failed(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The snapshot once these nodes have lost power, and probes have confirmed it."""
    liveness, suspicions = dict(snapshot.liveness), dict(snapshot.suspicions)
    for name in names:
        liveness[name] = Liveness.SUSPECT
        if name in snapshot.plumbings:
            suspicions[name] = presumed_silence(snapshot.plumbings[name], is_gone=True)
    return replace(snapshot, liveness=liveness, suspicions=suspicions)


def with_drained(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The snapshot once these nodes are drained."""
    nodes = dict(snapshot.nodes)
    for name in names:
        labels = {**nodes[name].labels, EXCLUDE_LABEL: "duravip"}
        nodes[name] = replace(nodes[name], labels=labels)
    return replace(snapshot, nodes=nodes)


def forecast(before: Snapshot, after: Snapshot) -> Forecast:
    """Decide about `after`, and compare the owners with those of `before`."""
    holders, decision = election.current_holders(before), decide_now(after)
    changes, unchanged = [], 0
    load: Counter[str] = Counter(dict.fromkeys(after.plumbings, 0))
    for address in sorted(holders.keys() | decision.units.keys(), key=to_int):
        holder, owner = holders.get(address, ""), owner_in(decision, address)
        if owner:
            load[owner] += 1
        if holder == owner:
            unchanged += 1
        else:
            reason, message = _why(decision, address, is_new=not holder)
            changes.append(Change(address, holder, owner, reason, message))
    return Forecast(changes, unchanged, load)


def owner_in(decision: Decision, address: str) -> str:
    """The owner decided on; empty when the owner is lost and no other node may have it."""
    choice = decision.assignments.get(address)
    return choice.owner if choice and choice.reason is not Reason.OWNER_LOST else ""


def _why(decision: Decision, address: str, *, is_new: bool) -> tuple[str, str]:
    if address not in decision.units:
        return MoveReason.EDITED, ""
    if owner_in(decision, address):
        return MoveReason.ELECTED if is_new else decision.assignments[address].cause, ""
    verdict = decision.address_statuses[address]
    return verdict.reason, "" if verdict.state is State.UNMANAGED else verdict.message
