"""Every command of the documentation, as people type it, on nodes with real kubelets."""

import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from duravip_api import EXCLUDE_LABEL
from duravip_api.manifest import KINDS
from duravip_api.reasons import Reason
from duravip_api.services import SERVICE_LABEL
from e2e.pages import PAGES, ROOT, Block, blocks
from lab import charts
from lab.charts_program import helm
from lab.cluster import Lab
from lab.demo_local import EXAMPLE, WORKLOADS
from lab.fleet import PROGRAMS, wait_until
from lab.kubelet import references
from lab.processes import environment

FROM_NOTHING: Final = "docs/install.md"
"""The page that begins without the chart, and takes it off again at its end."""
OF_ITS_OWN: Final = ("README.md",)
"""Pages that begin with a manifest; the others are about the manual's example."""
REGISTRY: Final = "registry.example.org"
VERSION: Final = "0.1.0"
ENDLESS: Final = re.compile(r" -w\b|port-forward|watch=true")
"""Commands that show what happens until they are interrupted."""
PATIENCE: Final = 120
RUN: Final = {
    str(page.relative_to(ROOT)): found
    for page in PAGES
    if (found := [block for block in blocks(page) if block.commands and not block.excuse])
}


class Shell:
    """A checkout's folder and somebody's environment, with the cluster's kubeconfig."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        programs, home = folder / "bin", folder / "home"
        for made in (programs, home, folder / "vips"):
            made.mkdir()
        (programs / "helm").symlink_to(helm())
        (programs / "kubectl").symlink_to(lab.programs / "kubectl")
        for name in ("docs", "helm", "crds"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "vips/example.yaml").symlink_to(EXAMPLE)
        path = os.pathsep.join([str(programs), str(PROGRAMS), os.environ["PATH"]])
        self._env = environment(
            {"PATH": path, "HOME": str(home), "KUBECONFIG": str(lab.kubeconfig)}
        )

    def run(self, block: Block, command: str) -> str:
        """What it prints; it must end well, or, if it goes on and on, print something."""
        argv = ["bash", "-euo", "pipefail", "-c", command]
        if block.node:
            argv = self._lab.machines[block.node].entering(argv)
        where = f"{block.page}:{block.line}: {command}"
        if ENDLESS.search(command):
            return self._watch(argv, where)
        done = subprocess.run(
            argv, cwd=self._folder, env=self._env, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _watch(self, argv: list[str], where: str) -> str:
        with subprocess.Popen(
            argv, cwd=self._folder, env=self._env, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        ) as program:  # fmt: skip
            assert program.stdout
            try:
                ready, _, _ = select.select([program.stdout], [], [], PATIENCE)
                line = program.stdout.readline() if ready else ""
                assert line, f"{where}\nprints nothing"
                return line
            finally:
                os.killpg(program.pid, signal.SIGTERM)


@pytest.fixture(scope="module")
def shell(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Where people type; the nodes have the images under the names that the pages use."""
    for program in ("operator", "agent"):
        name = f"duravip-{program}"
        for node in lab.nodes:
            tag = ["ctr", "-n", "k8s.io", "images", "tag", "--force"]
            node.run([*tag, references(lab.layout)[name], f"{REGISTRY}/{name}:{VERSION}"])
    return Shell(lab, tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def page(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """A page, and the cluster as it is at its beginning; afterwards its objects are gone."""
    name = str(request.param)
    remove_all(lab)
    if name == FROM_NOTHING:
        charts.uninstall(lab)
        lab.kubectl("delete", "-f", str(charts.CHART / "crds"))
    else:
        lab.kubectl("apply", "-f-", input=manifest(name))
        settle(lab)
    yield name
    if name != FROM_NOTHING:
        remove_all(lab)
    elif charts.is_installed(lab):  # the page has failed half-way: with its own values
        charts.install(lab)


@pytest.mark.parametrize("page", RUN, indirect=True)
def test_every_command_of_a_page_works(lab: Lab, shell: Shell, page: str) -> None:
    for block in RUN[page]:
        for command in block.commands:
            if page != FROM_NOTHING:
                settle(lab)
            printed = shell.run(block, command)
            if block.language == "console":
                columns = block.text.splitlines()[1].split()
                assert printed.splitlines()[0].split() == columns


def manifest(page: str) -> str:
    """What there is at the beginning of a page."""
    if page in OF_ITS_OWN:
        return next(block.text for block in blocks(ROOT / page) if block.language == "yaml")
    return EXAMPLE.read_text()


def remove_all(lab: Lab) -> None:
    """Have the chart and no object of ours, nor a Service of theirs."""
    charts.ensure(lab)
    lab.kubectl("delete", "-f", str(WORKLOADS / "loadbalancer.yaml"), "--ignore-not-found")
    kinds = ",".join(kind.name for kind in KINDS if kind.name.partition(".")[0] != "nodeplumbings")
    lab.kubectl("delete", kinds, "--all", "--all-namespaces")


def settle(lab: Lab) -> None:
    """Wait until every address has its owner, among all nodes that are not drained.

    That of a Service has one that is fit for it, as few may be.
    """
    drained = len(lab.kubectl("get", "nodes", f"-l={EXCLUDE_LABEL}", "-o=name").split())
    path = "-o=jsonpath={range .items[*]}{.status.state}/{.status.participants} {end}"
    why = "-o=jsonpath={.items[*].status.conditions[?(@.type=='Ready')].reason}"
    vips = ("get", "vips", "--all-namespaces")
    wanted = {f"Owned/{len(lab.nodes) - drained}"}

    def is_settled() -> bool:
        own = lab.kubectl(*vips, f"-l=!{SERVICE_LABEL}", path)
        generated = lab.kubectl(*vips, f"-l={SERVICE_LABEL}", why)
        return {*own.split()} == wanted and {*generated.split()} <= {Reason.SERVED}

    wait_until(is_settled, "every address has its owner", PATIENCE)
