"""What the election would say if something happened: the cluster's snapshot, changed, elected."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.addresses import to_int
from duravip_api.reasons import MoveReason, Reason, State
from duravip_cli.explain.inferred_snapshot import silence
from duravip_cli.explain.standings import decided
from duravip_operator.core import election
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Liveness, Snapshot


class Change(NamedTuple):
    """An address that would change its owner."""

    address: str
    before: str
    """Who has it now; empty: nobody."""
    after: str
    """Who would have it; empty: nobody."""
    reason: str
    message: str
    """Why nobody would have it."""

    def as_json(self) -> dict[str, str]:
        """As `-o json` prints it."""
        return {
            "address": self.address,
            "from": self.before,
            "to": self.after,
            "reason": self.reason,
            "message": self.message,
        }


class Forecast(NamedTuple):
    """What would come of it."""

    changes: list[Change]
    unchanged: int
    load: Mapping[str, int]
    """How many addresses every node would have."""

    @property
    def is_loss(self) -> bool:
        """Whether an address that has an owner would have none and is still asked for."""
        return any(c.before and not c.after and c.message for c in self.changes)


def failed(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The snapshot once these nodes have lost power, and that is known."""
    gone = set(names)
    return replace(
        snapshot,
        liveness={**snapshot.liveness, **dict.fromkeys(gone, Liveness.SUSPECT)},
        suspicions={
            **snapshot.suspicions,
            **{
                name: silence(plumbing, is_gone=True)
                for name, plumbing in snapshot.plumbings.items()
                if name in gone
            },
        },
    )


def drained(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The snapshot once an administrator has taken these nodes out."""
    nodes = dict(snapshot.nodes)
    for name in names:
        labels = {**nodes[name].labels, EXCLUDE_LABEL: "duravip"}
        nodes[name] = replace(nodes[name], labels=labels)
    return replace(snapshot, nodes=nodes)


def forecast(before: Snapshot, after: Snapshot) -> Forecast:
    """Every address whose owner would be another one."""
    holders, made = election.current_holders(before), decided(after)
    changes, unchanged = [], 0
    load: Counter[str] = Counter(dict.fromkeys(after.plumbings, 0))
    for address in sorted(holders.keys() | made.units.keys(), key=to_int):
        holder, owner = holders.get(address, ""), owner_in(made, address)
        if owner:
            load[owner] += 1
        if holder == owner:
            unchanged += 1
        else:
            reason, message = _why(made, address, is_new=not holder)
            changes.append(Change(address, holder, owner, reason, message))
    return Forecast(changes, unchanged, load)


def owner_in(made: Decision, address: str) -> str:
    """Who shall have the address; nobody when its owner is lost and no other may have it."""
    choice = made.assignments.get(address)
    lost = choice is None or choice.reason is Reason.OWNER_LOST
    return "" if choice is None or lost else choice.owner


def _why(made: Decision, address: str, *, is_new: bool) -> tuple[str, str]:
    if address not in made.units:
        return MoveReason.EDITED, ""
    if owner_in(made, address):
        return MoveReason.ELECTED if is_new else made.assignments[address].cause, ""
    verdict = made.address_statuses[address]
    return verdict.reason, "" if verdict.state is State.UNMANAGED else verdict.message
