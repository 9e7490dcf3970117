"""An agent is started under the name of another node, whose own agent lives."""

import json
import time

from faults.expected import OTHERS, VICTIM, assert_one_owner, home
from faults.fleets import plumbings
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until


def conditions(lab: Lab) -> dict[str, str]:
    found = plumbings(lab)["n3"]["status"]["conditions"]
    return {condition["type"]: condition["message"] for condition in found}


def events(lab: Lab) -> list[str]:
    listed = json.loads(lab.kubectl("get", "events", "-A", "-o=json"))["items"]
    return [
        event["message"]
        for event in listed
        if (event["reason"], event["involvedObject"]["name"]) == ("NameShared", "n3")
    ]


def test_a_clone_serves_nothing_and_ends_and_is_named(lab: Lab, fleet: Fleet) -> None:
    fleet.agents["n2"].terminate()
    fleet.agents["n2"].wait()
    wait_until(lambda: fleet.owners()[OTHERS[1]] not in {"", "n2"}, "n2 has left")
    with lab.observe([VICTIM]) as seen:
        before = int(plumbings(lab)["n3"]["metadata"]["resourceVersion"])
        clone = fleet.start_agent_on("n2", "n3")
        assert clone.wait(timeout=30) == 2
        wait_until(lambda: "NameShared" in conditions(lab), "the owner says so")
        wait_until(lambda: len(events(lab)) == 1, "an Event says so")
        time.sleep(1)
    assert "another machine reports as this node already" in clone.output()
    assert_one_owner(seen.sight)
    assert {held.machine for held in seen.sight.holdings[VICTIM]} == {"n3"}
    assert int(plumbings(lab)["n3"]["metadata"]["resourceVersion"]) > before
    fleet.start_agent("n2")
    home(fleet)
