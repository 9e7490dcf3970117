"""A hand-over is spoken of when it is done, or has taken long."""

import asyncio
from types import SimpleNamespace
from typing import Any

from duravip_operator.core.snapshot import Placement, Plumbing, Silence
from duravip_operator.holdback import LONGEST, HoldBack
from duravip_operator.pulse import View

A = "10.1.1.1"
GRANTS = {Placement("eth1", 32): frozenset({A})}
TAKING = Plumbing("n1", generation=2, observed=1, grants=GRANTS)
SERVING = Plumbing("n1", generation=2, observed=2, grants=GRANTS, served=frozenset({A}))
FAILING = Plumbing("n1", generation=2, observed=2, grants=GRANTS)


def begun(*, silent: bool = False) -> tuple[HoldBack, list[str]]:
    """With one node, and what is called at the end."""
    caches: Any = SimpleNamespace(plumbings={"n1": TAKING})
    view = View(silences={"n1": Silence()} if silent else {})
    pulse: Any = SimpleNamespace(view=lambda: view)
    ended: list[str] = []
    return HoldBack(caches, pulse, lambda: ended.append("end")), ended


def test_it_lasts_until_the_node_says_that_it_serves_or_cannot() -> None:
    async def play() -> None:
        held, _ = begun()
        assert held.is_on(is_waiting=False)
        held.caches.plumbings["n1"] = SERVING
        assert held.is_on(is_waiting=True)
        assert not held.is_on(is_waiting=False)
        held.caches.plumbings["n1"] = FAILING
        assert not held.is_on(is_waiting=False)

    asyncio.run(play())


def test_nobody_waits_for_a_silent_node() -> None:
    async def play() -> None:
        held, _ = begun(silent=True)
        assert not held.is_on(is_waiting=False)

    asyncio.run(play())


def test_it_ends_by_itself_and_says_so() -> None:
    async def play() -> None:
        held, ended = begun()
        assert held.is_on(is_waiting=False)
        await asyncio.sleep(LONGEST + 0.05)
        assert not held.is_on(is_waiting=False)
        assert ended == ["end"]

    asyncio.run(play())
