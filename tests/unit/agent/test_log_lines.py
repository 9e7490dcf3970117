"""The lines of the agent's log that tell how far a fail-over has come: one for each change."""

import logging
from collections.abc import Iterable

import pytest

from duravip_agent.core.kernel_state import Link
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.probing import ProbeResult
from duravip_agent.core.send_queue import BATCH_FRAMES
from duravip_agent.metrics import Metrics
from duravip_agent.segment.announcer import Announcer
from unit.agent.world import A, Agent, B, World

LINK = Link(2, "eth0", is_up=True, has_carrier=True, mac="02:00:00:00:00:01")
PLACE = Placement("eth0", 32)
NOBODY = f"probed {A}-{B}: nobody answers"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


class Silent:
    """A kernel without neighbours, and a wire that takes everything."""

    def __init__(self) -> None:
        self.sent = 0

    def neighbours(self) -> list[str]:
        return []

    def keep_only(self, links: Iterable[int]) -> None: ...

    def send(self, link: Link, frames: list[bytes]) -> int:
        del link
        self.sent += len(frames)
        return len(frames)


def announcer() -> Announcer:
    made = Announcer(Silent(), Silent(), 60.0, Metrics("test"))  # type: ignore[arg-type]
    made.links_changed((LINK,), 0.0)
    return made


def addresses(count: int) -> frozenset[str]:
    return frozenset(f"10.1.{n // 256}.{n % 256}" for n in range(count))


def test_what_is_new_is_announced_with_one_line_and_repeated_without(
    told: pytest.LogCaptureFixture,
) -> None:
    made = announcer()
    made.announce_new({PLACE: frozenset({A, B})}, 0.0)
    assert told.messages == [f"announced {A}-{B} on eth0"]
    for now in (0.1, 1.0, 5.0, 65.0):
        made.announce(now)
    assert len(told.messages) == 1


def test_thousands_are_announced_in_one_go_and_told_of_in_one_line(
    told: pytest.LogCaptureFixture,
) -> None:
    made = announcer()
    made.announce_new({PLACE: addresses(2 * BATCH_FRAMES)}, 0.0)
    assert told.messages == ["announced 10.1.0.0-10.1.3.255 on eth0"]


def test_a_segment_that_is_asked_again_and_again_is_told_of_once(
    told: pytest.LogCaptureFixture,
) -> None:
    agent = Agent(World())
    agent.grant(contested=(A, B))
    agent.step()
    told.clear()
    for _ in range(3):
        agent.facts.add_probe_result(agent.generation, ProbeResult(silent=frozenset({A, B})), 1.0)
    assert told.messages == [NOBODY]
    answers = ProbeResult(answered={A: ("02::9",)}, silent=frozenset({B}))
    for _ in range(3):
        agent.facts.add_probe_result(agent.generation, answers, 2.0)
    assert told.messages == [NOBODY, f"probed {A}: 02::9 answers"]


def test_what_is_plumbed_is_told_before_it_is_announced(told: pytest.LogCaptureFixture) -> None:
    agent = Agent(World())
    agent.grant(A)
    before: list[str] = []
    agent.world.announce_new = lambda *_: before.extend(told.messages)
    agent.step()
    assert before == told.messages == [f"plumbed {A} on eth0"]


def test_routes_answer_first_and_their_aliases_are_no_news(told: pytest.LogCaptureFixture) -> None:
    agent = Agent(World())
    agent.world.knows_routes = True
    agent.grant(*addresses(500))
    agent.step()
    agent.rest()
    lines = [line.partition(" 10.")[0] for line in told.messages]
    assert lines == ["plumbed", "plumbed behind their routes:"]
