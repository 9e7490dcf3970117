"""A part that is started again and again is no part that runs."""

import asyncio

from duravip_operator.health_checks import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    RESTARTS_REMEMBERED_S,
    AgentContact,
    RestartHistory,
    health_checks,
)
from duravip_operator.watch.store import Store


def test_one_end_is_an_accident_and_two_are_a_problem() -> None:
    now = [100.0]
    kopf = RestartHistory("kopf", lambda: now[0])
    assert kopf.problem() == ""
    assert kopf.record_end("a whim") == FIRST_BACKOFF_S
    assert kopf.problem() == ""
    now[0] += 20
    kopf.record_end("uid not found: 65532")
    assert kopf.problem() == "kopf has ended 2 times within 90 s, at last: uid not found: 65532"
    now[0] += RESTARTS_REMEMBERED_S - 10
    assert kopf.problem() == ""


def test_a_part_that_never_stays_up_is_seen_at_every_moment() -> None:
    now = [0.0]
    part = RestartHistory("it", lambda: now[0])
    pauses = []
    for _ in range(20):
        pauses.append(part.record_end("again"))
        now[0] += pauses[-1]
        assert len(pauses) < 2 or part.problem()
    assert max(pauses) == MAX_BACKOFF_S


def test_a_replica_with_a_problem_is_not_ready_and_lives_on() -> None:
    said = [""]

    async def run() -> None:
        caches = Store(lambda: None, lambda _: None)
        loop = asyncio.get_running_loop()
        pages = health_checks(loop, lambda: caches.has_synced, (lambda: said[0], lambda: ""))
        assert pages["/readyz"]() == "not every kind was listed yet"
        for kind in ("Topology", "Node", "NodePlumbing", "Binding", "DuraVIP"):
            caches.replace_all(kind, {}, [])  # type: ignore[arg-type]
        assert pages["/readyz"]() == ""
        said[0] = "kopf has ended"
        assert pages["/readyz"]() == "kopf has ended"
        assert await asyncio.to_thread(pages["/healthz"]) == ""

    asyncio.run(run())


def test_a_replica_is_ready_once_it_could_lead() -> None:
    """An upgrade ends the last replica that agents know as soon as a new one is ready."""
    now, alive = [0.0], set[str]()
    known = AgentContact(lambda: ["n1", "n2", "n3"], lambda: alive, 20.0, lambda: now[0])
    assert known.problem() == "0 of 3 agents are heard, and mature"
    alive |= {"n1", "gone"}
    assert known.problem() == "1 of 3 agents are heard, and mature"
    alive.add("n3")
    assert known.problem() == ""
    alive.clear()
    assert known.problem() == ""  # what falls silent later is the agents' trouble


def test_agents_that_are_never_heard_do_not_keep_a_replica_from_being_ready() -> None:
    now = [0.0]
    known = AgentContact(lambda: ["n1"], list, 20.0, lambda: now[0])
    assert known.problem()
    now[0] = 20.0
    assert known.problem() == ""
    assert AgentContact(list, list, 20.0).problem() == ""  # the first replica comes before agents
