"""The commands of all pages that install or upgrade the chart: Helm and the chart take them."""

import shlex

import pytest

from e2e.pages import EVERYWHERE, ROOT, blocks
from lab import charts

LEFT_OUT = {"…", "--install", "--reset-then-reuse-values"}
"""What readers put in themselves, and what only means something for a release that there is."""
FOUND = sorted(
    {
        command
        for page in EVERYWHERE
        for block in blocks(page)
        for command in block.commands
        if command.startswith(("helm install", "helm upgrade"))
    }
)


@pytest.mark.parametrize("command", FOUND)
def test_the_chart_takes_what_a_page_gives_it(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = [word for word in shlex.split(command, comments=True) if word not in LEFT_OUT]
    assert words[2:4] == [charts.RELEASE, str(charts.CHART.relative_to(ROOT))]
    assert charts.rendered(*words[4:])


def test_there_are_such_commands() -> None:
    assert len(FOUND) > 4
