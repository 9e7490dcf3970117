"""The demo's cluster on this machine: a lab of the full size, named `demo`."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lab import charts, requirements, teardown
from lab.charts_program import helm
from lab.cluster import Lab
from lab.errors import LabError
from lab.layout import CLIENT, Layout
from lab.observer.observation import Observation
from lab.requests import Requests

NAME: Final = "demo"
TESTS: Final = Path(__file__).parents[1]
EXAMPLE: Final = TESTS.parent / "docs/examples/seed.yaml"
WORKLOADS: Final = EXAMPLE.parent / "workloads"

Say = Callable[[str], None]


class LocalStage:
    """See `demo_story.Stage`."""

    addresses = ("10.1.1.1", "10.1.1.2")

    def __init__(self, say: Say) -> None:
        self._say = say
        self._lab: Lab

    def start(self) -> None:
        """Install what is missing, build what is not built, start three nodes with kubelets."""
        if NAME in teardown.known():
            raise LabError("the demo is running already: end it by `make demo-down`")
        requirements.ensure("full", self._say)
        helm(self._say)
        self._say("starting three nodes with kubelets; the first time, their images are built")
        self._lab = Lab("full", name=NAME, say=self._say)
        self._lab.start()

    def install(self) -> None:
        """Install the chart with the images that the nodes hold."""
        charts.install(self._lab)

    def example(self) -> str:
        """The example is made for these very nodes."""
        return EXAMPLE.read_text()

    def workloads(self) -> dict[str, str]:
        """All of them: the nodes have a second card."""
        return {file.stem: file.read_text() for file in sorted(WORKLOADS.glob("*.yaml"))}

    def fetch(self, url: str) -> str:
        """The client is a machine on the segment."""
        return self._lab.client.attempt(["curl", "-sfm2", url]).stdout.strip()

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the administrator."""
        return self._lab.kubectl(*arguments, input=text)

    def observe(self, addresses: Sequence[str]) -> Observation:
        """The client is a machine on the segment."""
        return self._lab.observe(addresses)

    def requests(self, url: str, every: float) -> Requests:
        """The client is a machine on the segment."""
        return Requests(self._lab.client, url, every)

    def crash(self, node: str) -> float:
        """SIGKILL to all of it, with its cables cut."""
        return self._lab.machines[node].crash()

    def revive(self, node: str) -> None:
        """Boot it from its disk."""
        self._lab.machines[node].power_on()

    def leave(self) -> None:
        """`make demo-down` ends it."""
        self._lab.release()

    def stop(self) -> None:
        """End it, and leave nothing."""
        self._lab.stop()

    def hints(self) -> str:
        """Commands that work as they stand."""
        lab = f"PYTHONPATH={TESTS} {sys.executable} -m lab"
        return "\n".join(_hints(lab, self._lab.kubeconfig, self._lab.programs))


def down() -> None:
    """End a demo, whoever started it, and however far it came."""
    teardown.tear_down(Layout(NAME))


def _hints(lab: str, kubeconfig: Path, programs: Path) -> list[str]:
    agents = "-l app.kubernetes.io/component=agent --field-selector spec.nodeName=n1"
    ping = f"  {lab} exec {CLIENT} --name {NAME} -- ping 10.1.1.1"
    return [
        "It runs on. To try:",
        f"  export KUBECONFIG={kubeconfig} PATH={programs}:$PATH",
        "  kubectl get vips -o wide",
        "  kubectl get dvn",
        "  kubectl describe dvip smtp-1",
        f"  kubectl -n {charts.NAMESPACE} delete pod {agents}",
        *([ping] if shutil.which("ping") else []),
        f"  {lab} crash n2 --name {NAME}",
        f"  {lab} power-on n2 --name {NAME}",
        "  make demo-down",
    ]
