"""A pytest plugin: after a failure everything is set up anew, also what many tests share.

A test that fails half-way leaves its lab in a state that nobody meant, and the next ones, or the
same one when it is tried again, would fail of that alone.
"""

import pytest

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Count for this attempt alone."""
    item.stash[FAILED] = False


@pytest.hookimpl
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Note that it has failed."""
    node.stash[FAILED] = True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Tear down the fixtures of every scope; pytest itself offers that only at a session's end."""
    if item.stash[FAILED]:
        item.session._setupstate.teardown_exact(None)  # noqa: SLF001
