"""Helm, and the project's chart, in a lab of the full size."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from lab.charts_program import helm as program
from lab.cluster import Lab
from lab.errors import LabError
from lab.kubelet import load_mail_image, references
from lab.layout import HOME
from lab.processes import attempt, checked

CHART: Final = Path(__file__).parents[2] / "helm/duravip"
RELEASE: Final = "duravip"
NAMESPACE: Final = "duravip-system"
PATIENCE: Final = 120
"""Seconds that an installation may take."""
LINES: Final = 15
ANY_USER: Final = 1000730000
"""A uid as OpenShift gives them: no image knows it."""


def helm(lab: Lab, *arguments: str, timeout: float = PATIENCE + 10) -> str:
    """Run Helm as the administrator of a lab, and give what it printed."""
    return _run(lab.layout.home, [f"--kubeconfig={lab.kubeconfig}", *arguments], timeout)


def install(lab: Lab, *more: str) -> None:
    """Install the chart with the lab's images, or upgrade to them; ready when this returns."""
    command = ["upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    options = ["--create-namespace", "--wait", f"--timeout={PATIENCE}s"]
    # Tests lose the same nodes again and again, and then wait for them to be trusted again.
    options.append("--set=operator.extraArgs={--max-damping=0}")
    helm(lab, *command, *options, *image_options(lab), *more)


def install_with_mail(lab: Lab, *more: str) -> None:
    """The same, with Postfix on every node, whose image the nodes are given first."""
    name = load_mail_image(lab.layout, lab.nodes)
    repository, _, tag = name.rpartition(":")
    image = f"mail.image.repository={repository},mail.image.tag={tag}"
    # A folder of each node: other paths of the host are the machine's own, and all nodes'.
    spool = "/var/lib/kubelet/duravip-mail"
    install(lab, "--set=mail.enabled=true", f"--set-string={image},mail.spool={spool}", *more)


def ensure(lab: Lab) -> None:
    """Install the chart, unless it is installed."""
    if not is_installed(lab):
        install(lab)


def is_installed(lab: Lab) -> bool:
    """Whether the chart is there, with whatever values."""
    return RELEASE in helm(lab, "list", "--short", "-n", NAMESPACE).split()


def uninstall(lab: Lab) -> None:
    """Take it off again, and wait until its pods are gone: Helm returns earlier."""
    helm(lab, "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    pods = ("pods", "--all", f"--namespace={NAMESPACE}", "--timeout=60s")
    lab.kubectl("wait", "--for=delete", *pods, timeout=70)


def image_options(lab: Lab) -> list[str]:
    """What tells the chart which images the nodes hold."""
    return [f"--set=operator.runAsUser={ANY_USER}", *images_named(references(lab.layout))]


def images_named(names: Mapping[str, str]) -> list[str]:
    """What tells the chart, also that of an earlier commit, that the nodes hold these images."""
    pairs = [
        (program, *names[f"duravip-{program}"].rsplit(":", 1)) for program in ("operator", "agent")
    ]
    return ["--set=image.pullPolicy=Never"] + [
        f"--set-string=image.{program}.repository={repository},image.{program}.tag={tag}"
        for program, repository, tag in pairs
    ]


def last_words(kubectl: Callable[..., str]) -> str:
    """What the chart's programs serve, where they run, and what each one said last."""
    where = f"--namespace={NAMESPACE}"

    def said(*ask: str) -> str:
        try:
            return kubectl(*ask, "--request-timeout=5s")
        except LabError as error:
            return str(error)

    pods = said("get", "pods", where, "-o=name").split()
    return "\n".join(
        [
            said("get", "vips,dvn", "--all-namespaces"),
            said("get", "pods", where, "-o=wide"),
            *(said("logs", pod, where, "--prefix", f"--tail={LINES}") for pod in pods),
        ]
    )


def rendered(*options: str) -> list[dict[str, Any]]:
    """The chart's objects with these options, without any cluster."""
    command = ["template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", *options]
    return [item for item in yaml.safe_load_all(_run(HOME, command)) if item]


def notes(*options: str) -> str:
    """What people are told who install it with these options."""
    said = _run(HOME, ["install", RELEASE, str(CHART), "--dry-run=client", *options])
    return said.partition("\nNOTES:\n")[2]


def lint(*options: str) -> str:
    """What `helm lint` says of the chart; LabError when it finds a fault."""
    return _run(HOME, ["lint", "--strict", str(CHART), *options])


def _run(home: Path, arguments: Sequence[str], timeout: float = 60) -> str:
    """Run it with a home of its own: it neither reads nor writes anything of the user's."""
    homes = [f"HELM_{what}_HOME={home / 'helm'}" for what in ("CACHE", "CONFIG", "DATA")]
    return checked(attempt(["env", *homes, str(program()), *arguments], timeout=timeout))
