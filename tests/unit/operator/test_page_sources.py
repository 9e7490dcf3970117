"""What the live page reads of a replica: its caches, and who it thinks leads."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.leadership.elector import NOBODY, KnownLeader
from duravip_operator.page import MoveTape, Sources
from duravip_operator.pulse import PulseView
from duravip_operator.pulse.client import HeardTimes
from duravip_operator.watch.store import Store
from unit.operator.test_store import plumbing, vip


def sources(leader: KnownLeader = NOBODY, **pulse: Any) -> tuple[Sources, Store]:
    """Those of the replica `me`; to be made in a loop."""
    store = Store(lambda: None, lambda _: None, lambda call, *rest: call(*rest))
    heard: dict[str, Any] = {"view": PulseView, "beats": dict, "heard_times": HeardTimes()}
    parts: dict[str, Any] = {
        "store": store,
        "endpoints": SimpleNamespace(services={}),
        "pulse": SimpleNamespace(**heard | pulse),
        "elector": SimpleNamespace(leader=leader, request_s=0.0042),
        "replicas": SimpleNamespace(replicas=lambda: ("me", "other")),
        "writer": SimpleNamespace(no_urgent_write=SimpleNamespace(is_set=lambda: False)),
    }
    settings: Any = SimpleNamespace(identity="me")
    return Sources(settings, tape=MoveTape(), **parts), store


def test_the_facts_are_copies_of_the_caches() -> None:
    async def play() -> None:
        found, store = sources()
        store.put("DuraVIP", vip(1))
        store.put("NodePlumbing", plumbing(1))
        facts = found.facts()
        store.remove("DuraVIP", vip(2))
        store.remove("NodePlumbing", plumbing(2))
        assert [one.address for one in facts.vips] == ["10.1.1.1"]
        assert facts.plumbings.keys() == {"n1"}
        assert found.facts().vips == ()
        assert not facts.operator["synced"]

    asyncio.run(play())


def test_a_replica_tells_who_leads_and_whether_that_is_itself() -> None:
    async def play() -> None:
        for leader, leads in ((KnownLeader("me", 7), True), (KnownLeader("you", 7), False)):
            told = sources(leader)[0].facts().operator
            assert (told["leader"], told["epoch"], told["leads"]) == (*leader, leads)
        told = sources()[0].facts().operator
        assert (told["leader"], told["leads"]) == ("", False)
        assert (told["replica"], told["replicas"]) == ("me", 2)

    asyncio.run(play())


def test_how_long_ago_a_node_was_heard_is_of_the_answer_or_of_now_if_it_is_silent() -> None:
    async def play() -> None:
        now = time.monotonic()
        silent = PulseView(
            {"n1": Liveness.ALIVE, "n2": Liveness.SUSPECT}, {"n2": Suspicion(last_heard=now - 60)}
        )
        heard = HeardTimes(now - 5, {"n1": now - 5.25, "n2": now - 60})
        found, _ = sources(view=lambda: silent, heard_times=heard)
        ages = found.ages()
        assert round(ages["n1"], 6) == 0.25
        assert ages["n2"] >= 60
        assert found.api_ms() == 4
        assert found.is_busy()

    asyncio.run(play())


def test_the_pulse_is_asked_in_its_own_thread() -> None:
    async def play() -> None:
        asked = asyncio.Event()
        found, _ = sources(ask_heard_times=asked.set)
        await asyncio.to_thread(found.ask_ages)
        await asyncio.wait_for(asked.wait(), 10)

    asyncio.run(play())


def test_a_loop_that_has_ended_is_asked_in_vain() -> None:
    async def play() -> Sources:
        return sources(ask_heard_times=lambda: None)[0]

    asyncio.run(play()).ask_ages()
