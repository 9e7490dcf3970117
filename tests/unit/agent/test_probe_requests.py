"""What the agent makes of probe requests."""

from collections.abc import Iterable

from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject, Reachability
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_agent.segment.prober import OnOutcome
from duravip_api.heartbeat import ProbeReport, ProbeRequest


class Scout:
    """Sees at once."""

    def __init__(self) -> None:
        self.looked: list[ProbeSubject] = []
        self.watched: list[ProbeSubject] = []

    def probe_subject(self, suspect: ProbeSubject, on_sighting: OnOutcome) -> None:
        self.looked.append(suspect)
        on_sighting(ProbeOutcome(Reachability.SILENT, 7.0))

    def watch(self, suspects: Iterable[ProbeSubject]) -> None:
        self.watched = list(suspects)


def looked(*requests: tuple[ProbeRequest, float]) -> tuple[Scout, list[ProbeReport]]:
    scout, said = Scout(), list[ProbeReport]()
    taker = ProbeRequests(scout, "b1", Metrics("1"))  # type: ignore[arg-type]
    for look, at in requests:
        taker.handle(look, "operator", at, said.append)
    return scout, said


def request_to_probe(number: int, boot: str = "b1", address: str = "10.1.1.1") -> ProbeRequest:
    return ProbeRequest("n1", boot, number, "n2", "eth1", (address,), ("02:00:00:00:00:02",))


def test_a_look_is_answered_with_what_was_seen() -> None:
    scout, said = looked((request_to_probe(1), 0.0))
    asked = ProbeSubject("n2 by IPv4", "eth1", ("10.1.1.1",), frozenset({"02:00:00:00:00:02"}))
    assert scout.looked == [asked]
    assert said == [ProbeReport("n1", 1, "n2", "eth1", "silent", heard_ago=7.0)]


def test_whoever_was_asked_about_is_watched_on() -> None:
    scout, _ = looked((request_to_probe(1), 0.0), (request_to_probe(2, address="fd00::1"), 1.0))
    assert [suspect.node for suspect in scout.watched] == ["n2 by IPv4", "n2 by IPv6"]


def test_replays_and_looks_for_an_earlier_boot_are_not_heeded() -> None:
    _, said = looked(
        (request_to_probe(2), 0.0),
        (request_to_probe(2), 0.1),
        (request_to_probe(1), 0.2),
        (request_to_probe(3, "b0"), 0.3),
    )
    assert [sight.number for sight in said] == [2]


def test_an_operator_that_starts_anew_is_heard_after_a_while() -> None:
    _, said = looked((request_to_probe(900), 0.0), (request_to_probe(1), 9.0))
    assert [sight.number for sight in said] == [900, 1]


def test_a_look_that_names_no_address_is_dropped() -> None:
    _, said = looked((request_to_probe(1, address="nonsense"), 0.0))
    assert said == []
