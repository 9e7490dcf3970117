"""kind and kubeadm, built from their Go modules, and the sources of kind's base image."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lab import programs
from lab.programs import MODULE, Say, alone, cache, run_go

KIND: Final = "sigs.k8s.io/kind"
VERSION: Final = "v0.33.0"
KUBEADM: Final = "k8s.io/kubernetes/cmd/kubeadm"


def place() -> Path:
    """The folder with both programs, once they are built."""
    return cache() / f"kind-{VERSION}-{programs.place().name}"


def build(say: Say = print) -> Path:
    """Build them, unless they are there; gives their folder."""
    finished = place()
    with alone(cache() / "kind.lock"):
        if not finished.exists():
            say(f"building kind {VERSION} and kubeadm: once, and a minute or two")
            with TemporaryDirectory(dir=cache()) as work:
                _build(Path(work)).rename(finished)
    return finished


def sources() -> Path:
    """The folder of kind's module."""
    return Path(json.loads(_go("mod", "download", "-json", f"{KIND}@{VERSION}"))["Dir"])


def _build(work: Path) -> Path:
    folder = work / "programs"
    folder.mkdir()
    _go("install", f"{KIND}@{VERSION}", GOBIN=str(folder))
    # The lab's own module needs two sums more for kubeadm; so a copy of it is built in.
    for name in ("go.mod", "go.sum"):
        shutil.copy(MODULE / name, work / name)
    flags = ("-mod=mod", f"-ldflags={programs.stamp()}")
    _go("build", *flags, "-o", f"{folder}/kubeadm", KUBEADM, folder=work)
    return folder


def _go(*words: str, folder: Path | None = None, **more: str) -> str:
    return run_go(f"go {' '.join(words)}", words, folder, **more)
