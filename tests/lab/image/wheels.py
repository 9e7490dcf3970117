"""The Python layers of an image: what a program depends on, and the program itself."""

import importlib.util
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from lab.errors import LabError
from lab.image import base
from lab.image.oci import entries_of, write_layer
from lab.processes import run

APP = "app"
"""Where both layers are, in the image."""


def requirements(project: Path, extra: str = "") -> list[str]:
    """What pyproject.toml says that every program needs, and what one needs besides; sorted."""
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    more = table["optional-dependencies"][extra] if extra else []
    return sorted([*table["dependencies"], *more])


def build_wheel(project: Path, folder: Path) -> Path:
    """Build the project's one wheel, in the environment at hand where it can."""
    shutil.rmtree(folder, ignore_errors=True)
    isolation = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    build = [sys.executable, "-m", "build", "--wheel", *isolation]
    run([*build, "--outdir", str(folder), str(project)], timeout=300)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise LabError(f"the build left {len(wheels)} wheels in {folder}, not one")
    return wheels[0]


def write_dependencies(layer: Path, wanted: Sequence[str], below: Path | None = None) -> None:
    """Install these into a layer, for the Python of the base and not for ours.

    What the layer `below` holds alike is left out.
    """
    for_base = ["--python-version", base.version(), "--only-binary=:all:"]
    with TemporaryDirectory(dir=layer.parent) as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        where = ["--no-compile", "--root-user-action=ignore", "--target", folder]
        run([*pip, *where, *for_base, *wanted], timeout=900)
        shutil.rmtree(Path(folder, "bin"), ignore_errors=True)
        _write(layer, Path(folder), below)


def write_application(layer: Path, wheel: Path) -> None:
    """Unpack the project's wheel into a layer."""
    with TemporaryDirectory(dir=layer.parent) as folder:
        with ZipFile(wheel) as archive:
            archive.extractall(folder)  # noqa: S202 (our own wheel)
        _write(layer, Path(folder))


def _write(layer: Path, folder: Path, below: Path | None = None) -> None:
    """Compiled, because the image is read-only; without times, because a layer has none."""
    if below:
        _remove_what_is_in(below, folder)
    compiler = [str(base.PYTHON), "-m", "compileall", "-q", "-j", "0", "-s", str(folder)]
    mode = ["--invalidation-mode", "unchecked-hash"]
    run([*compiler, "-p", f"/{APP}", *mode, str(folder)], timeout=600)
    write_layer(layer, entries_of(folder, APP))


def _remove_what_is_in(layer: Path, folder: Path) -> None:
    with tarfile.open(layer) as tar:
        for member in tar:
            twin = folder / Path(member.name).relative_to(APP)
            held = tar.extractfile(member)
            if held and twin.is_file() and twin.read_bytes() == held.read():
                twin.unlink()
