"""A short run of every target, and whether the fuzzer finds what is there to be found."""

import time

import pytest

from fuzz.registry import Target, targets
from fuzz.runner import run

SECONDS = 3.0


@pytest.mark.parametrize("name", sorted(targets()))
def test_nothing_escapes(name: str) -> None:
    report = run(targets()[name](), SECONDS, seed=1)
    print(report)
    assert not report.escapes, report
    assert report.inputs > 100
    assert len(report.outcomes) > 1, "all inputs are the same to it"


def test_an_exception_is_found() -> None:
    def check(data: bytes) -> str:
        return str(1 // (len(data) - 3))

    assert "ZeroDivisionError" in str(run(Target(check, (b"12345",)), 5))


def test_what_takes_long_is_found() -> None:
    def check(data: bytes) -> str:
        began = time.thread_time()
        while len(data) == 3 and time.thread_time() - began < 0.1:
            pass
        return ""

    assert "took 1" in str(run(Target(check, (b"12345",)), 5))


def test_what_takes_memory_is_found() -> None:
    def check(data: bytes) -> str:
        return str(len(b"x" * 2**27) if len(data) == 3 else 0)

    assert " MiB" in str(run(Target(check, (b"12345",)), 5).escapes)


def test_the_same_seed_gives_the_same_inputs() -> None:
    seen: list[list[bytes]] = []
    for _ in range(2):
        inputs: list[bytes] = []

        def check(data: bytes, inputs: list[bytes] = inputs) -> str:
            inputs.append(data)
            return ""

        run(Target(check, (b'{"a":1}', b"12345")), 0.1)
        seen.append(inputs[:100])
    assert seen[0] == seen[1]
