"""The phases of a fail-over as the programs' logs tell them."""

from datetime import datetime

from bench.phases import NAMES, Line, lines, phases_ms

OPERATOR = """\
2026-11-24T12:00:00.000+00:00 warning node n1 is silent, was alive
2026-11-24T12:00:10.116+00:00 warning node n1 is silent, was alive
2026-11-24T12:00:10.150+00:00 warning node n1 is gone from eth1
Traceback (most recent call last):
2026-11-24T12:00:10.170+00:00 info    node n1: granted 0, taken out 34, now 0
2026-11-24T12:00:10.180+00:00 info    node n2: granted 17, taken out 0, now 50
2026-11-24T12:00:10.186+00:00 info    node n3: granted 17, taken out 0, now 50
2026-11-24T12:00:19.000+00:00 info    node n1: granted 34, taken out 0, now 34
"""
AGENT = """\
2026-11-24T12:00:10.195+00:00 info    probed 10.1.64.19: 02:00:00:00:00:09 answers
2026-11-24T12:00:10.222+00:00 info    probed 10.1.64.1-10.1.64.18: nobody answers
2026-11-24T12:00:10.230+00:00 info    plumbed 10.1.64.1-10.1.64.17 on eth1
2026-11-24T12:00:10.242+00:00 info    plumbed 10.1.64.18 on eth1
2026-11-24T12:00:10.244+00:00 info    announced 10.1.64.1-10.1.64.18 on eth1
2026-11-24T12:00:10.245+00:00 info    plumbed behind their routes: 10.1.64.1-10.1.64.18 on eth1
2026-11-24T12:00:15.000+00:00 info    plumbed 10.1.64.99 on eth1
"""
EVENT = datetime.fromisoformat("2026-11-24T12:00:10.000+00:00").timestamp()


def told(answers: float) -> dict[str, float]:
    log = [*lines("operator", "n2", OPERATOR), *lines("agent", "n3", AGENT)]
    return {name: round(ms) for name, ms in phases_ms(log, EVENT, EVENT + answers).items()}


def test_each_phase_is_told_by_the_line_that_ends_it() -> None:
    assert told(answers=0.246) == {
        "suspect": 116,
        "scout": 150,
        "decide": 170,
        "write": 186,
        "probe": 222,
        "plumb": 242,
        "announce": 244,
        "answers": 246,
    }


def test_a_line_may_come_a_moment_after_what_it_tells_of() -> None:
    found = told(answers=0.243)
    assert (found["plumb"], found["announce"], found["answers"]) == (242, 243, 243)


def test_every_phase_that_is_promised_has_its_line() -> None:
    assert {"suspect", "scout", "decide", "write", "probe", "plumb", "announce"} < {*NAMES}


def test_what_no_line_tells_is_left_out() -> None:
    assert told(answers=0.140) == {"suspect": 116, "scout": 140, "answers": 140}


def test_an_agent_does_not_tell_what_an_operator_decides() -> None:
    log = lines("agent", "n1", OPERATOR)
    assert phases_ms(log, EVENT, EVENT + 1).keys() == {"answers"}


def test_lines_of_other_forms_are_passed_over() -> None:
    log = "started\n\n2026-11-24T12:00:10.000+00:00 info    0.1.0 starts as n2\n"
    assert list(lines("operator", "n2", log)) == [
        Line("operator", "n2", EVENT, "0.1.0 starts as n2")
    ]
