"""What the agent leaves for later: the kernel takes long for it, and nobody waits."""

import pytest

from duravip_agent import clock, reconciler
from duravip_agent.kernel.address_manager import CHUNK_SIZE
from unit.agent.world import serving


class Lull:
    """How long nobody waits any more: for ever, until it is over."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        patch.setattr(reconciler, "DEFER_S", 3600.0)

    def end(self) -> None:
        self._patch.setattr(reconciler, "DEFER_S", 0.0)


@pytest.fixture
def lull(monkeypatch: pytest.MonkeyPatch) -> Lull:
    return Lull(monkeypatch)


def test_thousands_are_heard_by_way_of_routes_before_their_aliases_are_there(lull: Lull) -> None:
    agent = serving()
    agent.world.knows_routes = True
    agent.grant(*(f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK_SIZE)))
    first = ["mute", "activate 512", "feed", "route 512", "announce 512"]
    first += ["activate 256", "route 256", "announce 256", "report"]
    assert agent.step() == first
    assert len(agent.reconciler.served) == 3 * CHUNK_SIZE
    assert agent.step() == []
    assert agent.reconciler.deferred_due > clock.now()
    lull.end()
    assert agent.step() == [f"add {CHUNK_SIZE}", f"unroute {CHUNK_SIZE}"] * 3
    assert agent.reconciler.deferred_due == float("inf")
    assert len(agent.reconciler.served) == 3 * CHUNK_SIZE


def test_many_that_are_mute_are_deleted_when_nobody_waits_any_more(lull: Lull) -> None:
    agent = serving(*(f"10.1.{n // 256}.{n % 256}" for n in range(300)))
    agent.grant()
    assert agent.step(may_delete=False) == ["deactivate 300", "report"]
    assert agent.reconciler.deferred_due > clock.now()
    assert agent.step() == []
    lull.end()
    assert agent.step() == ["delete 256", "delete 44"]
    assert agent.world.watched == set()
