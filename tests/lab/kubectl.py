"""kubectl, bound to one lab: it neither reads nor writes anything of the user's own."""

from pathlib import Path

from lab.layout import Layout
from lab.pki import ADMIN
from lab.processes import run


class Kubectl:
    """Runs kubectl as the administrator, in the root namespace."""

    def __init__(self, layout: Layout, programs: Path) -> None:
        self._argv = [
            str(programs / "kubectl"),
            f"--kubeconfig={layout.kubeconfig(ADMIN)}",
            f"--cache-dir={layout.home / 'kubectl-cache'}",
        ]

    def __call__(self, *arguments: str, input: str | None = None, timeout: float = 60) -> str:  # noqa: A002 (as subprocess calls it)
        """Give what it printed; LabError with what it complained about when it failed."""
        return run([*self._argv, *arguments], input, timeout)
