"""The live page in a real browser."""

from collections.abc import Iterator

import pytest

from lab import requirements
from page.chromium import Browser, browser


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests of a module."""
    requirements.ensure("page")
    with browser(tmp_path_factory.mktemp("chromium")) as window:
        yield window
