"""What the agent leaves for later: the kernel takes long for it, and nobody waits."""

import pytest

from duravip_agent import clock, reconciler
from duravip_agent.kernel.address_manager import CHUNK
from unit.agent.world import serving


class Lull:
    """How long nobody waits any more: for ever, until it is over."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        patch.setattr(reconciler, "LULL", 3600.0)

    def end(self) -> None:
        self._patch.setattr(reconciler, "LULL", 0.0)


@pytest.fixture
def lull(monkeypatch: pytest.MonkeyPatch) -> Lull:
    return Lull(monkeypatch)


def test_thousands_are_heard_by_way_of_routes_before_their_aliases_are_there(lull: Lull) -> None:
    agent = serving()
    agent.world.knows_routes = True
    agent.grant(*(f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK)))
    first = ["mute", "take 512", "refresh", "route 512", "announce 512"]
    first += ["take 256", "route 256", "announce 256", "report"]
    assert agent.step() == first
    assert len(agent.handover.served) == 3 * CHUNK
    assert agent.step() == []
    assert agent.handover.rest_due > clock.now()
    lull.end()
    assert agent.step() == [f"add {CHUNK}", f"unroute {CHUNK}"] * 3
    assert agent.handover.rest_due == float("inf")
    assert len(agent.handover.served) == 3 * CHUNK


def test_many_that_are_mute_are_deleted_when_nobody_waits_any_more(lull: Lull) -> None:
    agent = serving(*(f"10.1.{n // 256}.{n % 256}" for n in range(300)))
    agent.grant()
    assert agent.step(may_delete=False) == ["release 300", "report"]
    assert agent.handover.rest_due > clock.now()
    assert agent.step() == []
    lull.end()
    assert agent.step() == ["delete 256", "delete 44"]
    assert agent.world.vips == set()
