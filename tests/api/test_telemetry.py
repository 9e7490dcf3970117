"""What real programs write, say, count and log: for a fail-over, and when nothing happens."""

import re
import sys
import time
from collections import Counter

import pytest

from api.objects import reason
from bench.phases import NAMES, lines, phases_ms
from bench.scrapes import api_writes, more, value
from bench.spread import VICTIM
from bench.systems.objects import Objects
from bench.systems.operators import AGENT_URL, FETCH, URL, Operators
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet, wait_until

LAB = "telemetry"
MANY, A_THIRD = 300, 100
OTHERS = ("n2", "n3")
PATIENCE = 120.0
"""Events are paced: hundreds of them take half a minute."""

QUIET_FOR = 5.0
OURS = ("duravips", "nodeplumbings", "topologies", "events")


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Fleet:
    """Operators beside the node that is lost, three agents, 300 addresses, all of it at rest."""
    fleet = Fleet(lab)
    fleet.start(operators=OTHERS)
    objects = Objects(lab)
    objects.create_topology()
    objects.create_addresses(0, MANY)
    heard = Operators(lab, fleet, mature=1.0).heard_at()
    wait_until(lambda: not objects.unsettled(MANY, heard), "300 addresses are served", PATIENCE)
    _wait_for_quiet(lab)
    return fleet


def test_at_rest_nothing_is_written_and_nothing_is_logged(lab: Lab, fleet: Fleet) -> None:
    for _ in range(3):
        written, said = _writes(lab), _logs(fleet)
        time.sleep(QUIET_FOR)
        news = {name: text[len(said[name]) :] for name, text in _logs(fleet).items()}
        if not any("is silent" in text for text in news.values()):
            break  # else the programs were starved, and not at rest
    assert more(written, _writes(lab)) == {}
    assert news == dict.fromkeys(said, "")


def test_a_fail_over_writes_little_and_says_all(lab: Lab, fleet: Fleet) -> None:
    had = Counter(_owned(fleet).values())[VICTIM]
    assert had == A_THIRD
    before, started = _writes(lab), time.time()
    _lose_victim(lab, fleet)
    ended = time.time()
    _wait_for_quiet(lab)
    written = more(before, _writes(lab))
    # Of each address one status, and of those that have moved a second one on a starved machine.
    assert written["PATCH duravips/status"] <= MANY + had
    assert written["POST events"] <= had + 10
    assert written.get("PATCH nodeplumbings", 0) <= 20

    told = _node_events(lab)
    assert [why for node, why, _ in told if node == VICTIM and why == "NodeLost"]
    taken = [re.match(rf"took (\d+) addresses from {VICTIM}: NodeLost", m) for *_, m in told]
    assert sum(int(found[1]) for found in taken if found) == had

    shown = _metrics(lab, fleet.leader())
    assert value(shown, "duravip_operator_moves_total", reason="NodeLost") == had
    for phase in ("suspect", "scout", "decide", "write", "serve"):
        count = value(shown, "duravip_operator_failover_seconds_count", phase=phase)
        assert count >= 1, phase
    assert value(_metrics(lab, "n2", AGENT_URL), "duravip_agent_probed_total") > 0

    log = [line for name, text in _logs(fleet).items() for line in lines(*name.split("/"), text)]
    assert phases_ms(log, started, ended).keys() == {*NAMES} - {"lead"}


def test_a_node_that_is_back_is_said_to_be(lab: Lab, fleet: Fleet) -> None:
    if lab.machines[VICTIM].is_on:
        _lose_victim(lab, fleet)
    lab.machines[VICTIM].power_on()
    fleet.start_agent(VICTIM)
    wait_until(lambda: _is_ready(lab, VICTIM), "it is back", PATIENCE)
    wait_until(
        lambda: (VICTIM, "NodeBack") in [t[:2] for t in _node_events(lab)], "said", PATIENCE
    )


def _lose_victim(lab: Lab, fleet: Fleet) -> None:
    lab.machines[VICTIM].crash()
    wait_until(lambda: VICTIM not in _owned(fleet).values(), "the status says so", PATIENCE)
    wait_until(lambda: len(_owned(fleet)) == MANY, "all have moved", PATIENCE)


def _is_ready(lab: Lab, node: str) -> bool:
    try:
        return reason(lab, "dvn", node) == "AgentReady"
    except LabError:
        return False


def _owned(fleet: Fleet) -> dict[str, str]:
    return {address: owner for address, owner in fleet.owners().items() if owner}


def _writes(lab: Lab) -> dict[str, float]:
    """Writes of what is ours, as the API server counts them."""
    writes = api_writes(lab.kubectl("get", "--raw", "/metrics"))
    return {what: n for what, n in writes.items() if what.split()[1].split("/")[0] in OURS}


def _wait_for_quiet(lab: Lab) -> None:
    """Until nothing has been written for longer than any status waits."""
    end = time.monotonic() + PATIENCE
    known, since = _writes(lab), time.monotonic()
    while time.monotonic() - since < 2.5 * QUIET_FOR:
        assert time.monotonic() < end, "something is written again and again"
        time.sleep(0.5)
        if (now := _writes(lab)) != known:
            known, since = now, time.monotonic()


def _node_events(lab: Lab) -> list[tuple[str, str, str]]:
    """`(node, reason, message)`."""
    fields = "{.involvedObject.name}|{.reason}|{.message}"
    form = (
        f'-o=jsonpath={{range .items[?(@.involvedObject.kind=="Node")]}}{fields}{{"\\n"}}{{end}}'
    )
    found = lab.kubectl("get", "events", "-n=default", form)
    told = [tuple(line.split("|")) for line in found.splitlines() if line]
    return [(node, why, message) for node, why, message in told]


def _metrics(lab: Lab, machine: str, url: str = URL) -> str:
    return lab.machines[machine].run([sys.executable, "-c", FETCH, url])


def _logs(fleet: Fleet) -> dict[str, str]:
    """`{program/machine: all that it has logged}`."""
    operators = {f"operator/{name}": p.output() for name, p in fleet.operators.items()}
    return operators | {f"agent/{name}": p.output() for name, p in fleet.agents.items()}
