"""Whether the operator would carry out a `move` or a `release`, and if not, why.

The operator ignores a request that it cannot carry out; the command line refuses to write it.
"""

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, parse_request
from duravip_api.reasons import Reason
from duravip_cli.explain.inferred_snapshot import InferredSnapshot
from duravip_cli.explain.standings import Standing, standings
from duravip_cli.views.addresses import AddressRow
from duravip_cli.views.objects import Body
from duravip_operator.core import move_requests
from duravip_operator.core.decision import Decision


def move_refusal(
    inferred: InferredSnapshot, decision: Decision, row: AddressRow, node: str
) -> str:
    """Why the address cannot be moved to that node; empty: it can."""
    if why := _not_elected(decision, row):
        return why
    preference = decision.units[row.address].preference
    if preference not in {"", node}:
        return f"its preference names {preference}: change that instead"
    standing = _by_node(inferred, decision, row.address).get(node)
    if standing is None:
        return f"{Reason.NODE_UNKNOWN}: {Reason.NODE_UNKNOWN.sentence}"
    if standing.standing == "may not":
        return f"{standing.reason}: {standing.sentence}"
    return ""


def release_refusal(inferred: InferredSnapshot, decision: Decision, row: AddressRow) -> str:
    """Why its owner cannot give the address to another node; empty: it can."""
    if why := _not_elected(decision, row):
        return why
    owner = row.owner
    if not owner:
        return "it has no owner"
    if decision.units[row.address].preference == owner:
        return f"its preference names {owner}, which would take it back: change that instead"
    others = _by_node(inferred, decision, row.address)
    if not any(s.standing != "may not" for name, s in others.items() if name != owner):
        return "no other node may take it"
    return ""


def spent_requests(body: Body) -> list[str]:
    """The request annotations that have had their effect, or were overruled."""
    notes = (body.get("metadata") or {}).get("annotations") or {}
    in_force = {request.releases for request in move_requests.parse_requests(body)[0]}
    return [
        name
        for name, releases in ((MOVE_TO, False), (RELEASE_FROM, True))
        if name in notes and parse_request(str(notes[name])) and releases not in in_force
    ]


def _not_elected(decision: Decision, row: AddressRow) -> str:
    """Why the address is in no election of its own; empty: it is."""
    unit = decision.units.get(row.address)
    if unit is None:
        return f"it is {row.state}: {row.reason}: {row.message}"
    if unit.leader:
        return f"it follows {unit.leader}, and goes where that goes: name that one"
    if unit.address not in decision.assignments:
        verdict = decision.address_statuses[unit.address]
        return f"it is {verdict.state}: {verdict.reason}: {verdict.message}"
    return ""


def _by_node(inferred: InferredSnapshot, decision: Decision, address: str) -> dict[str, Standing]:
    return {standing.node: standing for standing in standings(inferred, decision, address)}
