"""How far the fail-over of each silent node has come.

    decide  what it had was taken out of its spec
    write   all of that is granted to others
    serve   the others say that they serve it

A phase is over when a pass finds it so. What comes before, the suspicion and the scout's verdict,
the pulse tells.
"""

from collections import defaultdict
from collections.abc import Container, Mapping

from duravip_api.reasons import Reason
from duravip_operator.core.decision import Decision
from duravip_operator.core.departures import Departures

FailOvers = Mapping[str, frozenset[str]]
"""`{silent node: the phases that are over}`, of nodes that have lost something."""


def failovers(
    before: FailOvers, silent: Container[str], departures: Departures, decision: Decision
) -> FailOvers:
    """The state of all fail-overs after this decision was written."""
    left: dict[str, list[str]] = defaultdict(list)
    for address, departure in departures.items():
        if departure.owner in silent and address in decision.units:
            left[departure.owner].append(address)
    found = {
        node: phases | {"write", "serve"} for node, phases in before.items() if node in silent
    }
    for node, addresses in left.items():
        reasons = {decision.verdicts[address].reason for address in addresses}
        written = set() if Reason.WAITING_FOR_RELEASE in reasons else {"write"}
        found[node] = before.get(node, frozenset()) | {"decide"} | written
    return found
