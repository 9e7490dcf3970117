"""What the tests of this tier share: jobs, all of which begin with the first test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulation.jobs import Job, workers


@pytest.fixture(scope="session")
def outcome(request: pytest.FixtureRequest) -> Iterator[Callable[[Job], Any]]:
    """What came of a job: a test names it by its parameter `job`, or several by `jobs`."""
    called = [getattr(item, "callspec", None) for item in request.session.items]
    params = [call.params for call in called if call]
    jobs = [job for named in params for job in (*named.get("jobs", ()), named.get("job")) if job]
    with workers(jobs) as result:
        yield result
