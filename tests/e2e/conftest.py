"""One cluster with real kubelets for all tests of this tier, and the chart in it."""

from collections.abc import Generator, Iterator

import pytest

from e2e.example import Example
from lab import charts
from lab.cluster import PROXIES, Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab("full") as lab:
        yield lab


@pytest.fixture(scope="module", params=PROXIES)
def cluster(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Lab]:
    """A lab whose kube-proxy has this mode."""
    if request.param == lab.proxy:
        yield lab
    else:
        with Lab("full", proxy=request.param) as other:
            yield other


@pytest.fixture
def example(lab: Lab) -> Example:
    """The chart installed, the manual's example applied, everything settled."""
    charts.ensure(lab)
    example = Example(lab)
    example.settle()
    return example


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with what the programs said last: the lab is gone when one reads it."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab is not None:
        report.sections.append(("the chart's programs", charts.last_words(lab.kubectl)))
    return report
