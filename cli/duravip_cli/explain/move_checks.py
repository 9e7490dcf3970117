"""Whether a request that people make can be fulfilled: what speaks against it, in one sentence.

The operator looks at the same, and would do nothing: whoever asks shall be told at once.
"""

from duravip_api.annotations import MOVE_TO, RELEASE_FROM, parse_request
from duravip_api.reasons import Reason
from duravip_cli.explain.inferred_snapshot import View
from duravip_cli.explain.standings import Standing, standings
from duravip_cli.views.addresses import Unit
from duravip_cli.views.objects import Body
from duravip_operator.core import move_requests
from duravip_operator.core.decision import Decision


def against_moving(view: View, made: Decision, shown: Unit, node: str) -> str:
    """Why the address cannot be moved to that node; empty: it can."""
    if why := _against_any(made, shown):
        return why
    preference = made.units[shown.address].preference
    if preference not in {"", node}:
        return f"its preference names {preference}: change that instead"
    standing = _by_node(view, made, shown.address).get(node)
    if standing is None:
        return f"{Reason.NODE_UNKNOWN}: {Reason.NODE_UNKNOWN.sentence}"
    if standing.standing == "may not":
        return f"{standing.reason}: {standing.sentence}"
    return ""


def against_releasing(view: View, made: Decision, shown: Unit) -> str:
    """Why its owner cannot give the address to another node; empty: it can."""
    if why := _against_any(made, shown):
        return why
    owner = shown.owner
    if not owner:
        return "it has no owner"
    if made.units[shown.address].preference == owner:
        return f"its preference names {owner}, which would take it back: change that instead"
    others = _by_node(view, made, shown.address)
    if not any(s.standing != "may not" for name, s in others.items() if name != owner):
        return "no other node may take it"
    return ""


def spent(body: Body) -> list[str]:
    """The annotations by which something was asked that has had its effect, or was overruled."""
    notes = (body.get("metadata") or {}).get("annotations") or {}
    in_force = {request.releases for request in move_requests.parse_requests(body)[0]}
    return [
        name
        for name, releases in ((MOVE_TO, False), (RELEASE_FROM, True))
        if name in notes and parse_request(str(notes[name])) and releases not in in_force
    ]


def _against_any(made: Decision, shown: Unit) -> str:
    """It belongs to no unit, goes where another one goes, or is not elected at all."""
    unit = made.units.get(shown.address)
    if unit is None:
        return f"it is {shown.state}: {shown.reason}: {shown.message}"
    if unit.leader:
        return f"it follows {unit.leader}, and goes where that goes: name that one"
    if unit.address not in made.assignments:
        verdict = made.address_statuses[unit.address]
        return f"it is {verdict.state}: {verdict.reason}: {verdict.message}"
    return ""


def _by_node(view: View, made: Decision, address: str) -> dict[str, Standing]:
    return {standing.node: standing for standing in standings(view, made, address)}
