"""What is counted of the pulse's work."""

import pytest

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.metrics import Metrics
from duravip_operator.pulse.ipc import PulseView
from duravip_operator.pulse.reported_view import ProbeMetrics

ALIVE = PulseView({"n1": Liveness.ALIVE})
SILENT = PulseView({"n1": Liveness.SUSPECT}, {"n1": Suspicion(last_heard=10.0)})
GONE = PulseView(
    {"n1": Liveness.SUSPECT},
    {"n1": Suspicion(last_heard=10.0, unreachable_on=frozenset({"eth1"}))},
)


class Counted:
    """A tally and what it has come to."""

    def __init__(self) -> None:
        self.metrics = Metrics("test")
        self.tally = ProbeMetrics(self.metrics)

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(f"duravip_operator_{name}", labels)
        return found or 0.0


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_looks_are_counted_once_though_the_process_starts_anew(counted: Counted) -> None:
    for looks in ({"silent": 2}, {"silent": 2, "answering": 3}, {"answering": 1}):
        counted.tally.count({"sights": looks})
    assert counted.value("looks_total", verdict="silent") == 2
    assert counted.value("looks_total", verdict="answering") == 4


def test_a_node_is_counted_from_when_it_is_known(counted: Counted) -> None:
    """Prometheus' `increase` takes no notice of a series that begins with 1."""
    counted.tally.observe(PulseView(), ALIVE, 1.0)
    for name in ("suspicions_total", "false_alarms_total"):
        metric = f"duravip_operator_{name}"
        assert counted.metrics.registry.get_sample_value(metric, {"node": "n1"}) == 0


def test_a_suspicion_is_timed_and_so_is_its_verdict(counted: Counted) -> None:
    counted.tally.observe(ALIVE, SILENT, 10.16)
    counted.tally.observe(SILENT, GONE, 10.2)
    counted.tally.observe(GONE, ALIVE, 12.0)
    assert counted.value("suspicions_total", node="n1") == 1
    assert counted.value("false_alarms_total", node="n1") == 0
    assert counted.value("failover_seconds_sum", phase="suspect") == pytest.approx(0.16)
    assert counted.value("failover_seconds_sum", phase="scout") == pytest.approx(0.2)


def test_a_node_that_is_heard_again_soon_was_a_false_alarm(counted: Counted) -> None:
    counted.tally.observe(ALIVE, SILENT, 10.16)
    counted.tally.observe(SILENT, ALIVE, 10.3)
    assert counted.value("false_alarms_total", node="n1") == 1
