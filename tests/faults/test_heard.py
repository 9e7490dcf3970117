"""What is shown of a node whose agent is dead."""

import json
import time

from faults.expected import home
from faults.fleets import plumbings
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until


def ready(lab: Lab) -> dict[str, str]:
    """The column of `kubectl get dvn`."""
    lines = lab.kubectl("get", "dvn").splitlines()
    at = lines[0].split().index("READY")
    return {line.split()[0]: line.split()[at] for line in lines[1:]}


def nodes(lab: Lab) -> int:
    topology = json.loads(lab.kubectl("get", "topology", "lan", "-o=json"))
    return int(topology["status"]["nodes"])


def test_a_dead_agent_is_shown_as_not_ready_until_it_is_back(lab: Lab, fleet: Fleet) -> None:
    everybody = dict.fromkeys(("n1", "n2", "n3"), "True")
    wait_until(lambda: ready(lab) == everybody, "all are ready")
    begin = time.monotonic()
    fleet.agents["n3"].kill()
    wait_until(lambda: ready(lab)["n3"] == "False", "it is shown")
    print(f"shown after {time.monotonic() - begin:.2f} s")
    wait_until(lambda: nodes(lab) == 2, "it is not counted")
    assert ready(lab) == {**everybody, "n3": "False"}
    fleet.start_agent("n3")
    wait_until(lambda: ready(lab) == everybody, "it is back")
    wait_until(lambda: nodes(lab) == 3, "it is counted")


def test_agent_and_operator_keep_what_the_other_has_written(lab: Lab, fleet: Fleet) -> None:
    for _ in range(3):
        fleet.agents["n3"].terminate()
        fleet.agents["n3"].wait()
        fleet.start_agent("n3")
        wait_until(lambda: ready(lab)["n3"] == "True", "it is heard")
    home(fleet)
    status = plumbings(lab)["n3"]["status"]
    assert {"Ready", "Heard"} <= {condition["type"] for condition in status["conditions"]}
    wait_until(lambda: is_quiet(lab), "nothing is written at rest")


def is_quiet(lab: Lab) -> bool:
    before = plumbings(lab)
    time.sleep(3)
    return plumbings(lab) == before
