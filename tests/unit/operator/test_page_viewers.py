"""Those who look at the live page: each gets everything in order, or is dropped."""

import asyncio

from duravip_operator.page.viewers import MAX_VIEWERS, MAX_WAITING_BYTES, Viewer, Viewers


def test_all_get_what_is_broadcast_in_order() -> None:
    async def play() -> None:
        viewers = Viewers()
        one, two = viewers.join(), viewers.join()
        for viewer in (one, two):
            viewer.begin()
        viewers.broadcast(b"a")
        viewers.broadcast(b"")
        viewers.leave(two)
        viewers.broadcast(b"b")
        assert [await one.next(), await one.next()] == [b"a", b"b"]
        assert await two.next() == b"a"
        assert len(viewers) == 1

    asyncio.run(play())


def test_what_is_in_the_whole_does_not_come_again() -> None:
    async def play() -> None:
        viewer = Viewer()
        viewer.put(b"before")
        viewer.begin()
        viewer.put(b"after")
        assert await viewer.next() == b"after"

    asyncio.run(play())


def test_one_that_waits_is_woken() -> None:
    async def play() -> None:
        viewer = Viewer()
        viewer.begin()
        waiting = asyncio.create_task(viewer.next())
        await asyncio.sleep(0)
        viewer.put(b"a")
        assert await waiting == b"a"

    asyncio.run(play())


def test_one_that_does_not_keep_up_is_dropped_and_costs_nothing_more() -> None:
    async def play() -> None:
        viewer = Viewer()
        viewer.begin()
        half = b"x" * (MAX_WAITING_BYTES // 2)
        viewer.put(half)
        viewer.put(half)
        viewer.put(b"one too many")
        assert await viewer.next() is None

    asyncio.run(play())


def test_there_is_room_for_so_many() -> None:
    async def play() -> None:
        viewers = Viewers()
        there = [viewers.join() for _ in range(MAX_VIEWERS)]
        assert viewers.is_full
        viewers.leave(there[0])
        assert not viewers.is_full

    asyncio.run(play())
