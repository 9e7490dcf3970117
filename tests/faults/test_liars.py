"""A node whose agent reports what is not so: nothing of the others is lost by that."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.objects import apply, duravip, status
from faults.expected import (
    ADDRESSES,
    OTHERS,
    OWNERS,
    SOON,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
)
from faults.fleets import plumbings
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

LYING_AGENT = Path(__file__).with_name("lying_agent.py")
NEW = "10.1.1.9"
NIC = {"name": "eth1", "index": 2, "up": True, "carrier": True, "mtu": 1500}
SINCE, MAC = "2026-01-01T00:00:00Z", "02:00:00:00:00:01"

Report = Callable[[dict[str, Any]], None]


@pytest.fixture
def report(lab: Lab, fleet: Fleet, tmp_path: Path) -> Iterator[Report]:
    """The agent of n3 says what the test wants it to."""
    file = tmp_path / "lies"
    file.write_text("{}")
    fleet.agents["n3"].terminate()
    fleet.agents["n3"].wait()
    fleet.start_agent("n3", program=(sys.executable, str(LYING_AGENT), str(file)))
    home(fleet)

    def said(fields: dict[str, Any]) -> None:
        file.write_text(json.dumps(fields))
        patch = json.dumps({"status": fields})
        lab.kubectl("patch", "dvn", "n3", "--subresource=status", "--type=merge", "-p", patch)

    yield said
    fleet.agents["n3"].terminate()
    fleet.agents["n3"].wait()
    patch = '{"status": {"epoch": null}}'
    lab.kubectl("patch", "dvn", "n3", "--subresource=status", "--type=merge", "-p", patch)


def condition(lab: Lab, name: str, kind: str) -> str:
    found = status(lab, "duravip", name).get("conditions", [])
    return next((f"{c['status']} {c['message']}" for c in found if c["type"] == kind), "")


def own(*addresses: str) -> dict[str, Any]:
    """Those of n3's own, and others."""
    listed = ["10.1.0.13/16", *(f"{address}/16" for address in addresses)]
    return {"nics": [{**NIC, "addresses": listed}]}


def test_addresses_that_a_node_claims_stay_with_their_owners(
    lab: Lab, fleet: Fleet, report: Report
) -> None:
    with lab.observe(OTHERS) as seen:
        report(own(*OTHERS, NEW))
        wait_until(lambda: "n3" in condition(lab, "vip-1", "NodeAddress"), "it is flagged")
        apply(lab, [duravip("new", NEW)])
        wait_until(lambda: status(lab, "duravip", "new").get("state") == "Broken", "refused")
        time.sleep(2)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)
    assert fleet.owners()[OTHERS[0]] == "n1"
    assert status(lab, "duravip", "vip-1")["flags"] == "Conflict"
    assert condition(lab, "vip-1", "Ready").startswith("True")
    lab.kubectl("delete", "duravip", "new")


def test_claimed_addresses_move_when_their_owner_is_lost(
    lab: Lab, fleet: Fleet, report: Report
) -> None:
    report(own(*OTHERS))
    wait_until(lambda: "n3" in condition(lab, "vip-2", "NodeAddress"), "it is flagged")
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n2"].crash()
        wait_until(lambda: fleet.owners()["10.1.1.2"] == "n1", "the other node owns it")
        lab.machines["n2"].power_on()
        fleet.start_agent("n2")
        wait_until(lambda: fleet.owners() == OWNERS, "all is back")
    assert_one_owner(seen.sight)
    assert seen.sight.back_after("10.1.1.2", when) < SOON


@pytest.mark.parametrize(
    "lie",
    [
        {"served": [*ADDRESSES, NEW], "servedCount": 4},
        {"epoch": 2147483647},
        {"failures": [{"address": a, "message": "no", "since": SINCE} for a in (*OTHERS, NEW)]},
        {"contested": [{"address": a, "mac": MAC, "message": "no"} for a in (*OTHERS, NEW)]},
        {"strict": ["eth0", "eth1"], "listening": ["TCP/25 10.1.1.1", "TCP/25 0.0.0.0"]},
        {"nics": []},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_whatever_a_node_reports_the_others_take_and_keep_their_addresses(
    lab: Lab, fleet: Fleet, report: Report, lie: dict[str, Any]
) -> None:
    with lab.observe(OTHERS) as seen:
        report(lie)
        apply(lab, [duravip("new", NEW, preference="n1")])
        wait_until(lambda: fleet.owners().get(NEW) == "n1", "a new address is served")
        apply(lab, [duravip("new", NEW, preference="n2")])
        wait_until(lambda: fleet.owners().get(NEW) == "n2", "it moves")
        time.sleep(1)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)
    assert lab.who_answers([NEW]) == {NEW: "n2"}
    assert plumbings(lab)["n3"]["status"].items() >= lie.items() or "epoch" in lie
    lab.kubectl("delete", "duravip", "new")
    wait_until(lambda: lab.who_answers([NEW]) == {}, "it is gone")
    assert VICTIM in fleet.owners()
