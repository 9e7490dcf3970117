"""A scout beside the agent's other work: it looks at suspects, and stays a witness of them."""

import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from duravip_agent.core.probing import Findings, Question
from duravip_agent.core.witness_book import Sighting, Suspect, Verdict
from duravip_agent.segment.probe_worker import Scout
from netns.segment import NIC, Segment

SERVED = tuple(f"10.1.1.{i}" for i in range(1, 9))
MANY = tuple(f"10.1.{64 + i // 256}.{i % 256}" for i in range(3000))
PATIENCE = 5.0


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with Segment("scout", "suspect") as segment:
        segment.ip("suspect", *(f"addr add {address}/32 dev {NIC}" for address in SERVED))
        yield segment


@pytest.fixture
def scout(segment: Segment) -> Iterator[Scout]:
    scout = Scout()
    with segment.inside("scout"):
        scout.start()
    yield scout
    scout.stop()


@pytest.fixture
def suspect(segment: Segment) -> Suspect:
    return Suspect("n2", NIC, SERVED, frozenset({segment.mac("suspect")}))


@pytest.fixture
def muted(segment: Segment) -> Iterator[None]:
    segment.mute("suspect", list(SERVED))
    yield
    segment.run("suspect", "nft", "delete", "table", "netdev", "fence")


def seen(scout: Scout, suspect: Suspect) -> Sighting:
    sightings: SimpleQueue[Sighting] = SimpleQueue()
    scout.look(suspect, sightings.put)
    return sightings.get(timeout=PATIENCE)


def soon(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_living_suspect_is_seen_answering(scout: Scout, suspect: Suspect) -> None:
    sighting = seen(scout, suspect)
    assert (sighting.verdict, sighting.is_witness) == (Verdict.ANSWERING, True)
    assert {mac for macs in sighting.answers.values() for mac in macs} == suspect.macs


@pytest.mark.usefixtures("muted")
def test_a_muted_suspect_is_silent_within_about_thirty_milliseconds(
    scout: Scout, suspect: Suspect
) -> None:
    times = []
    for _ in range(9):
        began = time.monotonic()
        assert seen(scout, suspect).verdict is Verdict.SILENT
        times.append(time.monotonic() - began)
    assert min(times) < 0.05


@pytest.mark.usefixtures("muted")
def test_silence_of_one_that_was_never_heard_comes_from_no_witness(
    scout: Scout, suspect: Suspect
) -> None:
    assert not seen(scout, suspect).is_witness


def test_an_answer_of_another_mac_is_reported_and_is_not_the_suspect(
    segment: Segment, scout: Scout
) -> None:
    impostor = Suspect("n3", NIC, SERVED[:1], frozenset({"02:00:00:00:00:33"}))
    sighting = seen(scout, impostor)
    assert (sighting.verdict, sighting.is_witness) == (Verdict.SILENT, False)
    assert sighting.answers == {SERVED[0]: (segment.mac("suspect"),)}


def test_watching_a_node_makes_a_witness(segment: Segment, scout: Scout, suspect: Suspect) -> None:
    scout.watch([suspect])
    soon(lambda: scout.witnessed() == {("n2", NIC)})
    segment.mute("suspect", list(SERVED))
    try:
        sighting = seen(scout, suspect)
    finally:
        segment.run("suspect", "nft", "delete", "table", "netdev", "fence")
    assert (sighting.verdict, sighting.is_witness) == (Verdict.SILENT, True)


def test_on_an_interface_that_is_not_there_nothing_is_known(scout: Scout) -> None:
    assert seen(scout, Suspect("n2", "eth9", SERVED)).verdict is Verdict.UNKNOWN


def test_a_look_does_not_wait_for_thousands_of_questions(scout: Scout, suspect: Suspect) -> None:
    findings: SimpleQueue[Findings] = SimpleQueue()
    scout.ask(NIC, Question(MANY), findings.put)
    assert seen(scout, suspect).verdict is Verdict.ANSWERING
    assert findings.empty()
    assert findings.get(timeout=PATIENCE).silent == set(MANY)


def test_it_goes_on_after_a_callback_has_failed(
    scout: Scout, suspect: Suspect, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Sighting) -> None:
        raise RuntimeError("on purpose")

    scout.look(suspect, fail)
    assert seen(scout, suspect).verdict is Verdict.ANSWERING
    assert "probing failed and goes on" in caplog.text
