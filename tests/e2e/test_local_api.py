"""The local API as the chart opens it: programs of each node ask the agent of that node."""

from e2e.example import BOTH, Example
from lab.cluster import Lab
from lab.fleet import wait_until

ASK = ("curl", "-sf", "--unix-socket", "/run/duravip/agent.sock", "-o", "/dev/null")


def test_each_node_says_of_an_address_whether_it_is_there(lab: Lab, example: Example) -> None:
    def is_served(node: str, address: str) -> bool:
        url = f"http://local/v1/served/{address}"
        return lab.machines[node].attempt([*ASK, url]).returncode == 0

    def is_said_by_its_owner_alone() -> bool:
        return all(
            is_served(node, address) == (node == example.owner(address))
            for address in BOTH
            for node in ("n1", "n2", "n3")
        )

    wait_until(is_said_by_its_owner_alone, "each node knows what it serves")
