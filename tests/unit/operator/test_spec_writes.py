"""Writes of specs: each for itself, and what they may grant nobody else gets meanwhile."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from duravip_operator.core import decision, releases
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.kube import Priority, StatusWriter
from duravip_operator.kube.spec_writes import UNANSWERED_FOR_S, WAIT_FOR_WRITES_S, SpecWrites
from duravip_operator.kube.writer import LeadershipLostError
from duravip_operator.metrics import Metrics
from duravip_runtime.api_error import ApiError
from lab.processes import wait_for
from unit.operator.clusters import cluster, vip

ONE, TWO = frozenset({"10.1.1.1"}), frozenset({"10.1.1.2"})
N1, N2 = Plumbing("n1", uid="u1", generation=4), Plumbing("n2", uid="u2", generation=4)


class World:
    """Writes, and how often they said that one has ended."""

    def __init__(self) -> None:
        self.now, self.ends = 100.0, 0
        self.writes = SpecWrites(self._ended, lambda: self.now)

    def _ended(self) -> None:
        self.ends += 1


def played(story: Callable[[World], Awaitable[None]]) -> None:
    async def play() -> None:
        await story(World())

    asyncio.run(play())


async def well() -> None:
    pass


def failing(error: ApiError) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


def test_a_slow_write_holds_up_no_other_node() -> None:
    async def story(world: World) -> None:
        answer = asyncio.Event()

        async def slow() -> None:
            await answer.wait()

        assert world.writes.start(N1, ONE, slow)
        assert not await world.writes.wait_briefly()
        assert not world.writes.may_start("n1")
        assert not world.writes.start(N1, TWO, well)
        assert world.writes.start(N2, TWO, well)
        started = time.monotonic()
        assert not await world.writes.wait_briefly()
        assert time.monotonic() - started < WAIT_FOR_WRITES_S / 2  # n1 is not waited for again
        assert world.writes.unanswered_grants({"n1": N1, "n2": N2}) == {"n1": ONE}
        answer.set()
        await _ended()
        assert world.writes.may_start("n1")
        assert world.writes.unanswered_grants({"n1": N1, "n2": N2}) == {}

    played(story)


def test_a_write_that_was_not_answered_may_have_been_carried_out() -> None:
    async def story(world: World) -> None:
        world.writes.start(N1, ONE, failing(ApiError("no answer")))
        await world.writes.wait_briefly()
        assert not world.writes.may_start("n1")  # not at once
        assert world.writes.unanswered_grants({"n1": N1}) == {"n1": ONE}
        later = replace(N1, generation=5)
        assert world.writes.unanswered_grants({"n1": later}) == {}

    played(story)


def test_what_was_not_answered_for_a_minute_never_will_be() -> None:
    async def story(world: World) -> None:
        world.writes.start(N1, ONE, failing(ApiError("no answer")))
        await world.writes.wait_briefly()
        world.now += UNANSWERED_FOR_S
        assert world.writes.unanswered_grants({"n1": N1}) == {}

    played(story)


@pytest.mark.parametrize("error", [ApiError("422: no", 422), LeadershipLostError()])
def test_what_was_refused_grants_nothing_after_a_while(error: ApiError) -> None:
    async def story(world: World) -> None:
        world.writes.start(N1, ONE, failing(error))
        await world.writes.wait_briefly()
        world.now += UNANSWERED_FOR_S
        assert world.writes.may_start("n1")
        assert world.writes.unanswered_grants({"n1": N1}) == {}

    played(story)


def test_a_write_that_ends_when_no_pass_waits_for_it_wakes_the_next_one() -> None:
    async def story(world: World) -> None:
        answer = asyncio.Event()

        async def slow() -> None:
            await answer.wait()

        world.writes.start(N1, ONE, slow)
        await world.writes.wait_briefly()
        answer.set()
        await _ended()
        assert world.ends == 1

    played(story)


async def _ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others), 5)


class Server:
    """Where statuses go; it leads in the epoch that is set, and may lose it amid a report."""

    def __init__(self) -> None:
        self.no_urgent_write, self.stopping = threading.Event(), threading.Event()
        self.reign: int | None = 4
        self.written: list[str] = []
        self.refused = 0

    def write_status(
        self, _kind: str, _where: str, name: str, _status: object, epoch: int | None
    ) -> None:
        if epoch != self.reign:
            self.refused += 1
            raise LeadershipLostError
        self.written.append(name)


def test_statuses_of_a_reign_that_is_over_are_not_written() -> None:
    server = Server()
    writer = StatusWriter(server, Metrics("test"))  # type: ignore[arg-type]
    writer.start()
    writer.reset(4)
    writer.put(("DuraVIP", "x", "before"), {"state": "Owned"}, Priority.CHANGE)
    server.reign = None  # lost amid a report, which goes on
    writer.put(("DuraVIP", "x", "after"), {"state": "Owned"}, Priority.CHANGE)
    server.no_urgent_write.set()
    wait_for(lambda: server.refused > 1, "all are tried")
    assert server.written == []
    server.reign = 5
    writer.reset(5)
    writer.put(("DuraVIP", "x", "anew"), {"state": "Owned"}, Priority.CHANGE)
    wait_for(lambda: server.written == ["anew"], "the new leader's is written")
    server.stopping.set()
    writer.stop()


def test_statuses_wait_for_a_lease_that_has_run_out_and_is_renewed_in_the_same_epoch() -> None:
    server = Server()
    writer = StatusWriter(server, Metrics("test"))  # type: ignore[arg-type]
    writer.start()
    writer.reset(4)
    server.reign = None
    server.no_urgent_write.set()
    writer.put(("DuraVIP", "x", "one"), {"state": "Owned"}, Priority.CHANGE)
    wait_for(lambda: server.refused > 0, "it is tried")
    server.reign = 4
    wait_for(lambda: server.written == ["one"], "it is written after all")
    server.stopping.set()
    writer.stop()


def test_what_a_node_may_be_granted_nobody_else_gets() -> None:
    moved = vip(1, preference="n2")
    snapshot = cluster((moved,), ("n1", "n2"))

    def granted(node: str, address: str) -> frozenset[str]:
        known = replace(snapshot, pending_grants={node: frozenset({address})})
        plans = decision.decide(known, releases.update_records({}, known)).plans
        return plans["n2"].addresses

    assert granted("n1", moved.address) == frozenset()
    assert granted("n1", "10.1.1.99") == {moved.address}
    assert granted("n2", moved.address) == {moved.address}
