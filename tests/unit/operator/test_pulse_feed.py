"""What the pulse is told of the NodePlumbings, and when."""

import asyncio
from collections.abc import Mapping
from typing import Any

from duravip_api.nodeplumbing import Nic
from duravip_operator.core.snapshot import Placement, Plumbing
from duravip_operator.pulse import PulseFeed
from duravip_operator.pulse.client import TARGETS_AFTER_WRITE_S
from duravip_operator.pulse.probe_targets import Segment

ETH1 = Segment("eth1", 4)
NIC = Nic(name="eth1", index=2, up=True, carrier=True, addresses=["10.1.0.11/16"])
BEFORE = Plumbing("n1", generation=1, nics={"eth1": NIC})
GRANTED = Plumbing(
    "n1",
    generation=2,
    nics=BEFORE.nics,
    grants={Placement("eth1", 16): frozenset({"10.1.1.1"})},
)


class Pulse:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int | None, Mapping[str, int], tuple[str, ...]]] = []

    def update_agents(self, agents: object) -> None: ...

    def expect(self, nodes: object) -> None: ...

    def update_answers(
        self, epoch: int | None, generations: Mapping[str, int], targets: Mapping[str, Any]
    ) -> None:
        self.told.append((epoch, generations, targets["n1"][ETH1].served))


def play(*, has_pass: bool = False, epochs: tuple[int | None, ...] = (5,)) -> Pulse:
    """What is told when a spec is written, in each of these epochs."""
    pulse = Pulse()
    feed = PulseFeed(pulse, "10.0.0.1:7946")  # type: ignore[arg-type]

    async def write() -> None:
        feed.update(5, {"n1": BEFORE})
        pulse.told.clear()
        for epoch in epochs:
            feed.update_generations(epoch, {"n1": GRANTED})
        if has_pass:
            feed.update(None, {"n1": GRANTED})
        await asyncio.sleep(4 * TARGETS_AFTER_WRITE_S)

    asyncio.run(write())
    return pulse


def test_a_written_generation_is_told_at_once_and_what_to_probe_a_moment_later() -> None:
    assert play().told == [(5, {"n1": 2}, ()), (5, {"n1": 2}, ("10.1.1.1",))]


def test_several_writes_are_followed_by_one_update_and_by_the_newest_epoch() -> None:
    told = play(epochs=(5, 5, 6)).told
    assert [epoch for epoch, *_ in told] == [5, 5, 6, 6]


def test_after_a_pass_nothing_of_an_earlier_epoch_is_told_again() -> None:
    assert [epoch for epoch, *_ in play(has_pass=True).told] == [5, None]
