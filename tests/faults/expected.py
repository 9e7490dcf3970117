"""The addresses of these tests, and what is expected of them whatever happens.

Times are generous, for machines that have other things to do: how fast it is, the benchmark tells.
"""

from typing import Final

from lab.fleet import Fleet, wait_until
from lab.observer.results import Sight

OWNERS: Final = {f"10.1.1.{n}": f"n{n}" for n in (1, 2, 3)}
"""Three addresses, one preferred on each node."""
ADDRESSES: Final = tuple(OWNERS)
VICTIM: Final = "10.1.1.3"
"""n3's: no operator runs there."""
OTHERS: Final = ("10.1.1.1", "10.1.1.2")
UNNOTICED: Final = 5.0
"""A gap shorter than this is nothing that moved: a busy machine, or an agent that was late."""
SOON: Final = 10.0
SLACK: Final = 3.0
"""What a busy machine may add to a time that the fence itself sets."""
HEALED: Final = 0.5
"""While two halves of a segment become one again, both owners answer for at most so long."""


def assert_one_owner(sight: Sight) -> None:
    """No question was answered by two machines, and no answer was missed."""
    assert sight.double_owners == 0, sight.doubles[:5]
    assert sight.dropped == 0


def assert_others_undisturbed(sight: Sight) -> None:
    """The addresses of the nodes to which nothing happens stayed where they were."""
    for address in OTHERS:
        assert sight.gap(address) < UNNOTICED
        assert {held.machine for held in sight.holdings[address]} == {OWNERS[address]}


def moved(fleet: Fleet, node: str = "n3", address: str = VICTIM) -> None:
    """Wait until another node owns the address."""
    wait_until(lambda: fleet.owners()[address] not in {"", node}, "another node owns it")


def home(fleet: Fleet) -> None:
    """Wait until every address is where it is preferred."""
    served = {node: [address] for address, node in OWNERS.items()}

    def is_home() -> bool:
        return fleet.served() == served and fleet.owners() == OWNERS

    wait_until(is_home, "everything is back where it is preferred")
