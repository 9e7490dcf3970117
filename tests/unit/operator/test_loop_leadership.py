"""What the loop does first when its replica begins to lead."""

import asyncio
from types import SimpleNamespace
from typing import Any

from duravip_operator.loop import Loop
from duravip_operator.pass_requests import PassRequests
from duravip_operator.settings import Settings


def test_what_the_former_leader_has_given_up_is_known_before_anything_is_decided() -> None:
    assert asyncio.run(first_pass(leads=True)) == ["forgot", "looked"]
    assert asyncio.run(first_pass(leads=False)) == []


def ignore(_: object) -> None:
    """Nobody asks for this."""


async def first_pass(*, leads: bool) -> list[str]:
    """What one pass of a replica does that has not listed anything yet."""
    done: list[str] = []
    stop = asyncio.Event()
    made: dict[str, Any] = {
        "store": SimpleNamespace(plumbings={}, restore_count=0, has_synced=False),
        "endpoints": SimpleNamespace(table=ignore, has_synced=False),
        "pulse": SimpleNamespace(
            update_agents=ignore, expect=ignore, update_answers=lambda *_: stop.set()
        ),
        "elector": SimpleNamespace(epoch=2 if leads else None),
        "replicas": None,
        "writer": None,
        "reporter": SimpleNamespace(reset=lambda _: done.append("forgot")),
        "metrics": SimpleNamespace(lead=ignore),
        "node_health": SimpleNamespace(check=lambda _: done.append("looked")),
        "services": SimpleNamespace(lead=ignore),
    }
    settings = Settings.model_construct(pulse_advertise="10.0.0.1:9481")
    loop = Loop(settings, requests := PassRequests(), **made)
    requests.at_once()
    await loop.run(stop)
    return done
