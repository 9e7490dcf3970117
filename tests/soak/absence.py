"""Minutes without operators and API server: what a client sees, and what is written afterwards."""

import time
from collections.abc import Mapping
from typing import Final

from bench.scrapes import api_writes
from bench.spread import sample
from lab.observer.observation import Pace
from soak.grounds import Grounds
from soak.objects import NODES
from soak.rounds import OBSERVED, Say
from soak.vitals import Vitals

PACE: Final = (0.05, 0.02)
"""Asked and pinged less often than where every millisecond counts."""
GAP: Final = 0.1
"""Shorter ones are the observer's own, on a busy machine."""
CALM: Final = 30.0
"""Three rounds of balancing."""
WATCHED: Final = 60.0
"""So long are writes counted after the return."""
OURS: Final = ("nodeplumbings", "duravips", "vipbindings", "topologies", "events")
A_NODE: Final = 5
"""So many writes for each node, and as many for the replicas, are no storm: a new leader stamps
its epoch into every spec, says where replicas are heard, and the agents say that they know."""


def stay_away(grounds: Grounds, minutes: float, say: Say) -> list[str]:
    """Take both away for so long, bring them back; what was wrong."""
    say(f"balancing comes to its end first: nothing moves for {CALM:g} s")
    grounds.stay_calm(CALM)
    addresses = sample(grounds.objects.addresses, OBSERVED)
    vitals = Vitals(warm=0)  # they have run for a while
    before = grounds.fleet.owners()
    seconds = minutes * 60
    pace = Pace(*PACE, limit=seconds + WATCHED + 600)
    with grounds.lab.observe(addresses, pace) as seen:
        say(f"the API server and both operators are killed for {minutes:g} minutes")
        grounds.lab.control_plane.api_server.kill()
        for operator in grounds.fleet.operators.values():
            operator.kill()
        wrongs = vitals.look(grounds.programs(), 0.0)
        time.sleep(seconds)
        wrongs += vitals.look(grounds.programs(), seconds)
        grounds.start_api_server()
        for machine in grounds.fleet.operators:
            grounds.start_operator(machine)
        settled = grounds.settle()
        say(f"all of it is back, and at rest after {settled:.1f} s")
        time.sleep(WATCHED)
        writes = api_writes(grounds.lab.kubectl("get", "--raw", "/metrics"))
    ours = {name: int(count) for name, count in writes.items() if _resource(name) in OURS}
    say(f"writes in the {settled + WATCHED:.0f} s after the return: {_listed(ours)}")
    say(f"the worst gap of {len(addresses)} addresses: {seen.sight.worst_gap() * 1000:.0f} ms")
    for name, more in vitals.growths():
        say(f"{name}: {more.mib:+.1f} MiB, {more.files:+} files meanwhile")
    if grounds.fleet.owners() != before:
        wrongs.append("owners have changed")
    held = seen.sight.holdings
    wrongs += [f"{a} was held by {len(held[a])} in turn" for a in addresses if len(held[a]) != 1]
    if seen.sight.double_owners:
        wrongs.append(f"{seen.sight.double_owners} double answers")
    if seen.sight.worst_gap() > GAP:
        wrongs.append("an address was not reached for a while")
    if sum(ours.values()) > A_NODE * (len(NODES) + len(grounds.fleet.operators)):
        wrongs.append(f"a storm of {sum(ours.values())} writes")
    return wrongs + vitals.tracebacks(grounds.lab.layout.home)


def _resource(name: str) -> str:
    """Of `PATCH duravips/status`: duravips."""
    return name.split()[1].partition("/")[0]


def _listed(writes: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count} {name}" for name, count in sorted(writes.items()))
    return f"{sum(writes.values())} ({listed or 'none'})"
