"""A second installation in another namespace does not lead beside the first."""

import time

from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

LAB = "fleet"
GIVES_UP_WITHIN, SLACK = 5.0, 5.0
OTHER = "duravip-again"


def test_the_second_one_gives_up_with_one_line(lab: Lab, fleet: Fleet) -> None:
    wait_until(lambda: fleet.leader() != "", "the first one leads")
    lab.kubectl("create", "namespace", OTHER)
    options = (
        f"--namespace={OTHER}",
        "--pulse-listen=0.0.0.0:7999",
        "--http-listen=127.0.0.1:9499",
    )
    others = dict(fleet.operators)
    started = time.monotonic()
    second = fleet.start_operator("n3", *options)
    fleet.operators.clear()
    fleet.operators.update(others)
    assert second.wait(30) == 2
    assert time.monotonic() - started < GIVES_UP_WITHIN + SLACK
    assert "another DuraVIP leads in this cluster: replica" in second.output()
    assert "duravip-system" in second.output()
    assert all(operator.is_running for operator in fleet.operators.values())
    assert "duravip-operator" not in lab.kubectl("get", "leases", f"-n{OTHER}", "-oname")
