"""What a client sees of the example while nodes and agents come and go."""

from e2e.example import BOTH, HOME, OTHER, PREFERRED, Example
from lab.charts import NAMESPACE
from lab.cluster import Lab
from lab.fleet import wait_until

LOST, LOST_WITH_LEADER = 10.0, 15.0
"""Longest gaps in seconds after a power loss, without and with the operator's leader."""
PLANNED = 3.0
"""The same when an agent withdraws; with room for a busy machine."""


def test_every_address_is_answered_by_the_owner_that_its_status_names(
    lab: Lab, example: Example
) -> None:
    def is_told() -> bool:
        return lab.who_answers(BOTH) == {address: example.owner(address) for address in BOTH}

    wait_until(is_told, "the statuses name whoever answers")


def test_a_crash_of_the_owner_moves_its_addresses_and_its_return_brings_the_preferred_back(
    lab: Lab, example: Example
) -> None:
    bound = LOST_WITH_LEADER if example.leader_node() == HOME else LOST
    with lab.observe(BOTH) as seen:
        crashed = lab.machines[HOME].crash()
        wait_until(lambda: example.owner(PREFERRED) not in {"", HOME}, "another one has it")
    assert seen.sight.worst_gap(crashed) <= bound
    assert seen.sight.double_owners == 0
    with lab.observe(BOTH) as seen:
        lab.machines[HOME].power_on()
        example.settle()
    assert seen.sight.owners()[PREFERRED] == HOME
    assert seen.sight.double_owners == 0
    assert len(seen.sight.holdings[OTHER]) == 1, "the other address has moved"


def test_deleting_an_agents_pod_drains_its_node_until_the_next_one_runs(
    lab: Lab, example: Example
) -> None:
    pod = example.agent_pod(HOME)
    with lab.observe(BOTH) as seen:
        lab.kubectl("delete", "pod", pod, f"-n{NAMESPACE}", "--wait=false")
        wait_until(lambda: example.owner(PREFERRED) not in {"", HOME}, "another one has it")
        example.settle()
    holders = [holding.machine for holding in seen.sight.holdings[PREFERRED]]
    assert holders[0] == holders[-1] == HOME
    assert len(holders) == 3, holders
    assert seen.sight.worst_gap() <= PLANNED
    assert seen.sight.double_owners == 0
