"""Garbage is collected when a program says that nobody waits, and what stays is set aside."""

import gc
import resource
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_runtime.gc_tuning import GcTuning


class Knot:
    """Kept alive by itself, which only the collector finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_garbage_goes_and_the_rest_is_not_looked_at_again() -> None:
    garbage = GcTuning()
    knot = weakref.ref(Knot())
    garbage.collect_when_idle()
    assert knot() is None
    assert gc.get_freeze_count() > 0
    assert len(gc.get_objects(generation=2)) == 0


def test_what_becomes_garbage_after_it_was_set_aside_is_found_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    garbage = GcTuning()
    held = Knot()
    knot = weakref.ref(held)
    garbage.collect_when_idle()
    del held
    garbage.collect_when_idle()
    assert knot() is not None
    monkeypatch.setattr("duravip_runtime.gc_tuning.time.monotonic", lambda: float("inf"))
    garbage.collect_when_idle()
    assert knot() is None


def test_what_was_given_back_goes_back_to_the_kernel() -> None:
    blocks = [b"x" * 65536 for _ in range(500)]
    end = b"x" * 65536  # behind all of them: by itself only what lies at the end is given back
    del blocks
    before = _resident()
    GcTuning().collect_when_idle()
    assert before - _resident() > 20 << 20
    assert end


def _resident() -> int:
    """The bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
