"""A scout beside the agent's other work: it looks at suspects, and stays a witness of them."""

import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from duravip_agent.core.probing import ProbeResult, ProbeSpec
from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject, Reachability
from duravip_agent.segment.prober import ProbeWorker
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
def scout(segment: Segment) -> Iterator[ProbeWorker]:
    scout = ProbeWorker()
    with segment.inside("scout"):
        scout.start()
    yield scout
    scout.stop()


@pytest.fixture
def suspect(segment: Segment) -> ProbeSubject:
    return ProbeSubject("n2", NIC, SERVED, frozenset({segment.mac("suspect")}))


@pytest.fixture
def muted(segment: Segment) -> Iterator[None]:
    segment.mute("suspect", list(SERVED))
    yield
    segment.run("suspect", "nft", "delete", "table", "netdev", "fence")


def seen(scout: ProbeWorker, suspect: ProbeSubject) -> ProbeOutcome:
    sightings: SimpleQueue[ProbeOutcome] = SimpleQueue()
    scout.probe_subject(suspect, sightings.put)
    return sightings.get(timeout=PATIENCE)


def soon(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_living_suspect_is_seen_answering(scout: ProbeWorker, suspect: ProbeSubject) -> None:
    sighting = seen(scout, suspect)
    assert (sighting.verdict, sighting.is_witness) == (Reachability.ANSWERING, True)


@pytest.mark.usefixtures("muted")
def test_a_muted_suspect_is_silent_within_about_thirty_milliseconds(
    scout: ProbeWorker, suspect: ProbeSubject
) -> None:
    times = []
    for _ in range(9):
        began = time.monotonic()
        assert seen(scout, suspect).verdict is Reachability.SILENT
        times.append(time.monotonic() - began)
    assert min(times) < 0.05


@pytest.mark.usefixtures("muted")
def test_silence_of_one_that_was_never_heard_comes_from_no_witness(
    scout: ProbeWorker, suspect: ProbeSubject
) -> None:
    assert not seen(scout, suspect).is_witness


def test_an_answer_of_another_mac_is_not_the_suspect(scout: ProbeWorker) -> None:
    impostor = ProbeSubject("n3", NIC, SERVED[:1], frozenset({"02:00:00:00:00:33"}))
    sighting = seen(scout, impostor)
    assert (sighting.verdict, sighting.is_witness) == (Reachability.SILENT, False)


def test_watching_a_node_makes_a_witness(
    segment: Segment, scout: ProbeWorker, suspect: ProbeSubject
) -> None:
    scout.watch([suspect])
    soon(lambda: scout._book._heard.keys() == {("n2", NIC)})  # noqa: SLF001
    segment.mute("suspect", list(SERVED))
    try:
        sighting = seen(scout, suspect)
    finally:
        segment.run("suspect", "nft", "delete", "table", "netdev", "fence")
    assert (sighting.verdict, sighting.is_witness) == (Reachability.SILENT, True)


def test_on_an_interface_that_is_not_there_nothing_is_known(scout: ProbeWorker) -> None:
    assert seen(scout, ProbeSubject("n2", "eth9", SERVED)).verdict is Reachability.UNKNOWN


def test_a_look_does_not_wait_for_thousands_of_questions(
    scout: ProbeWorker, suspect: ProbeSubject
) -> None:
    findings: SimpleQueue[ProbeResult] = SimpleQueue()
    scout.probe(NIC, ProbeSpec(MANY), findings.put)
    assert seen(scout, suspect).verdict is Reachability.ANSWERING
    assert findings.empty()
    assert findings.get(timeout=PATIENCE).silent == set(MANY)


def test_it_goes_on_after_a_callback_has_failed(
    scout: ProbeWorker, suspect: ProbeSubject, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: ProbeOutcome) -> None:
        raise RuntimeError("on purpose")

    scout.probe_subject(suspect, fail)
    assert seen(scout, suspect).verdict is Reachability.ANSWERING
    assert "probing failed and goes on" in caplog.text
