"""What is said of an address that is not where, or only where, somebody wants it to be.

- `PreferenceNotMet`: another node than the preferred one has it, and why (semantics 26). A node
  that has only just fallen silent is no reason yet.
- `Held`: somebody has asked for it to stay on the node that has it (47), and who.
"""

from collections.abc import Iterator

from duravip_api.annotations import format_clock_time
from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.election import Choice
from duravip_operator.core.snapshot import Advisory, Snapshot


def is_plain(unit: Unit, owner: str) -> bool:
    """Whether nothing of that kind can be said: true of nearly all addresses."""
    return unit.request is None and unit.preference in {"", owner}


def advisories(unit: Unit, choice: Choice, snapshot: Snapshot) -> Iterator[Advisory]:
    """What is to be said of this address."""
    preferred = unit.preference
    if choice.owner and preferred in snapshot.nodes and preferred != choice.owner:
        reason = choice.eligible.refusals.get(preferred)
        if reason:
            why = f"{preferred} is preferred and may not have it: {reason}: {reason.sentence}"
            until = snapshot.given_up_until.get((unit.address, preferred), "")
            if reason is Reason.REPAIR_FAILED and until:
                why += f"; it is tried there again at {until}"
            yield ("PreferenceNotMet", reason, why)
    request = unit.request
    if request and not request.releases and request.node == choice.owner and not unit.leader:
        who = next((e.label for e in unit.entities if request in e.asked), unit.address)
        why = (
            f"held on {request.node} as {who} asks since {format_clock_time(request.time)}, "
            "until it leaves that node; `kubectl duravip move --cancel` ends it"
        )
        yield ("Held", Reason.HELD, why)
