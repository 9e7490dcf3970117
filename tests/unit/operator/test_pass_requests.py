"""Edits are collected while the loop rests; what others wait for is not."""

import asyncio
from collections.abc import Callable

import pytest

from duravip_operator import pass_requests
from duravip_operator.pass_requests import MAX_REST_S, REST, PassRequests

LONG_S = 60.0
Step = Callable[[PassRequests], None]


def waited(*asked: Step, took: float, later: Step | None = None) -> float:
    """Seconds until a pass is due after one that took so long, with this asked for at once.

    `later` is done a moment after that.
    """

    async def play() -> float:
        requests, loop = PassRequests(), asyncio.get_running_loop()
        requests.rest_after(took)
        for ask in asked:
            ask(requests)
        if later:
            loop.call_later(0.1, later, requests)
        began = loop.time()
        await asyncio.wait_for(requests.wait(asyncio.Event(), lambda: None, LONG_S), LONG_S)
        return loop.time() - began

    return asyncio.run(play())


def test_an_edit_waits_until_the_loop_has_rested() -> None:
    assert waited(PassRequests.soon, took=0.1) >= REST * 0.1 - 0.01


def test_the_rest_is_bounded() -> None:
    assert MAX_REST_S - 0.01 <= waited(PassRequests.soon, took=LONG_S) < LONG_S / 2


def test_an_edit_that_comes_later_is_answered_at_once() -> None:
    assert waited(PassRequests.soon, took=0.0) < LONG_S / 2


@pytest.mark.parametrize("edits", [(), (PassRequests.soon,)], ids=["alone", "after an edit"])
def test_what_others_wait_for_ends_the_rest(
    monkeypatch: pytest.MonkeyPatch, edits: tuple[Step, ...]
) -> None:
    monkeypatch.setattr(pass_requests, "MAX_REST_S", LONG_S)
    assert waited(*edits, PassRequests.at_once, took=LONG_S) < LONG_S / 2
    assert waited(*edits, took=LONG_S, later=PassRequests.at_once) < LONG_S / 2


def test_a_pass_sees_all_that_was_asked_for_before() -> None:
    async def play() -> bool:
        requests, stop = PassRequests(), asyncio.Event()
        requests.soon()
        requests.at_once()
        requests.clear()
        stop_soon = asyncio.get_running_loop().call_later(0.05, stop.set)
        await requests.wait(stop, lambda: None, LONG_S)
        return stop_soon.when() <= asyncio.get_running_loop().time()

    assert asyncio.run(play())
