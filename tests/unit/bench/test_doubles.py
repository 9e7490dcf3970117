"""Why two machines answered one question."""

import pytest

from bench.doubles import Kind, counted, kind_of, releases, told
from bench.phases import lines
from lab.observer.results import Answer, Double


def double(sent: float | None, heard: float = 10.004) -> Double:
    """n1, the former owner, and n2 have answered a question of the moment 10."""
    former = Answer("n1", heard, "aa", 10.0005, sent)
    return Double("10.1.1.1", 10.005, 10.0, (former, Answer("n2", 10.005, "bb", 10.003, 10.004)))


@pytest.mark.parametrize(
    ("sent", "released", "kind"),
    [
        (10.001, {"n1": [10.002]}, Kind.LATE_DELIVERY),
        (10.003, {"n1": [10.002]}, Kind.LATE_DELIVERY),  # a line has whole milliseconds
        (10.0035, {"n1": [10.002]}, Kind.AFTER_RELEASE),
        (None, {"n1": [10.002]}, Kind.AFTER_RELEASE),
        (None, {"n1": [10.003]}, Kind.LATE_DELIVERY),
        (10.001, {"n1": [5.0, 10.002, 20.0]}, Kind.LATE_DELIVERY),
        (10.001, {"n1": [5.0]}, Kind.UNEXPLAINED),
        (10.001, {"n3": [10.002]}, Kind.UNEXPLAINED),
        (10.001, {"n1": [10.002], "n2": [10.002]}, Kind.UNEXPLAINED),
        (10.001, {}, Kind.UNEXPLAINED),
    ],
)
def test_a_double_is_told_by_when_the_former_owner_let_go(
    sent: float | None, released: dict[str, list[float]], kind: Kind
) -> None:
    assert kind_of(double(sent), released) is kind


def test_releases_are_read_from_the_agents_logs() -> None:
    log = """\
2026-01-01T00:00:10.002+00:00 info muted 10.1.1.1
2026-01-01T00:00:11.000+00:00 info plumbed 10.1.1.1
"""
    wall = next(lines("agent", "n1", log)).time
    read = [*lines("agent", "n1", log), *lines("operator", "n1", log)]
    assert releases(read, wall - 10.002) == {"n1": [pytest.approx(10.002)]}


def test_all_that_is_known_of_a_double_is_said() -> None:
    assert told(double(None), Kind.AFTER_RELEASE) == (
        "10.1.1.1 was asked for at 10.0000, answered after its release: "
        "n1 asked +0.50, answered ?, heard +4.00 ms: aa; "
        "n2 asked +3.00, answered +4.00, heard +5.00 ms: bb"
    )
    assert counted([Kind.LATE_DELIVERY, Kind.LATE_DELIVERY]) == {"late delivery": 2}
