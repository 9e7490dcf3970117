"""After a failure nothing of the failed test's fixtures is carried on."""

from pathlib import Path

import pytest

import lab_anew

TESTS = """
import itertools
import pytest

made = itertools.count(1)

@pytest.fixture(scope="{scope}")
def shared():
    yield next(made)
    print("TORN DOWN")

@pytest.mark.flaky(reruns=1)
def test_is_tried_again(shared):
    assert shared == 2

def test_shares_what_has_not_failed(shared):
    assert shared == 2

def test_fails_for_good(shared):
    assert shared == 0

def test_has_its_own_after_that(shared):
    assert shared == 3
"""


@pytest.mark.parametrize("scope", ["module", "session"])
def test_what_tests_share_is_made_anew_after_a_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(lab_anew.__file__).parent))
    pytester.makepyfile(TESTS.format(scope=scope))
    ran = pytester.runpytest_subprocess("-p", "lab_anew", "-p", "no:xdist")
    ran.stdout.fnmatch_lines(["*1 failed, 3 passed, 1 rerun*"])
