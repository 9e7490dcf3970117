"""The root of a virtual machine: the agent's image as it is published, and what checks it.

An initramfs is a cpio archive in the form `newc`, or several of them one after the other
(Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).
"""

import json
import stat
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final, cast

from kernels import modules
from kernels.debian import Kernel
from lab import images, programs
from lab.image import base, wheels
from lab.image.oci import Content, write_layer

TESTS: Final = images.PROJECT / "tests"
CHECKS: Final = "checks"
"""The folder of tests, there."""
MODULES: Final = "modules"
TOOLS: Final = ("/usr/bin/cat", "/usr/bin/ip", "/usr/bin/setpriv", "/usr/sbin/conntrack")
"""What the tests run, and the image does not need."""
AGENT: Final = "localhost/duravip-agent:"

_TYPES: Final = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK}


def write_image(path: Path) -> None:
    """Write what is the same for all kernels."""
    home = programs.cache()
    with TemporaryDirectory(dir=path.parent) as name, path.open("wb") as file:
        work, archive = Path(name), Archive(file)
        write_layer(work / "checks.tar", _checks())
        images.write_images(work / "images.tar", home / "images")
        for content in _layers(work / "images.tar"):
            archive.add_tar(content)
        for layer in (_pytest(home / "kernels"), work / "checks.tar"):
            with layer.open("rb") as content:
                archive.add_tar(content)
        archive.finish()


def write_modules(path: Path, kernel: Kernel) -> None:
    """Write what a kernel needs besides."""
    with path.open("wb") as file:
        archive = Archive(file)
        for number, (name, module) in enumerate(modules.in_order(kernel).items()):
            archive.add(f"{MODULES}/{number:02}-{name}", stat.S_IFREG | 0o644, module)
        archive.finish()


class Archive:
    """A cpio archive that is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._folders: set[str] = set()

    def add_tar(self, content: IO[bytes]) -> None:
        """Add all of a layer."""
        with tarfile.open(fileobj=content) as tar:
            for member in tar:
                kind = _TYPES.get(member.type, stat.S_IFREG)
                data = member.linkname.encode()
                if member.isfile():
                    data = cast("IO[bytes]", tar.extractfile(member)).read()
                self.add(member.name, kind | member.mode, data)

    def add(self, name: str, mode: int, data: bytes) -> None:
        """Add a file, a folder or a link; the folders that it is in are added where they lack."""
        for folder in [*map(str, Path(name).parents)][-2::-1]:
            if folder not in self._folders:
                self.add(folder, stat.S_IFDIR | 0o755, b"")
        if stat.S_ISDIR(mode):
            if name in self._folders:
                return
            self._folders.add(name)
        self._write(name, mode, data)

    def finish(self) -> None:
        """Write the end."""
        self._write("TRAILER!!!", 0, b"")

    def _write(self, name: str, mode: int, data: bytes) -> None:
        packed = name.encode() + b"\0"
        numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(packed), 0)
        head = b"070701" + b"".join(b"%08x" % number for number in numbers) + packed
        self._file.write(head + bytes(-len(head) % 4))
        self._file.write(data + bytes(-len(data) % 4))


def _layers(archive: Path) -> Iterator[IO[bytes]]:
    """The layers of the agent's image, from the bottom up."""
    with tarfile.open(archive) as tar:
        listed = json.load(cast("IO[bytes]", tar.extractfile("manifest.json")))
        (agent,) = (image for image in listed if image["RepoTags"][0].startswith(AGENT))
        for layer in agent["Layers"]:
            yield cast("IO[bytes]", tar.extractfile(layer))


def _pytest(home: Path) -> Path:
    """The pytest that runs here, for the image's Python."""
    wanted = f"pytest=={version('pytest')}"
    layer = home / f"{wanted}.tar"
    home.mkdir(parents=True, exist_ok=True)
    if not layer.exists():
        wheels.write_dependencies(layer, [wanted])
    return layer


def _checks() -> dict[str, Content]:
    """The tests, and the programs that they run."""
    tools = [Path(name) for name in TOOLS]
    folders = (TESTS / "netns", TESTS / "lab", TESTS / "kernels")
    found: dict[str, Content] = {base.merged(path): path for path in tools}
    found |= {base.merged(path): path for path in base.needed(tools)}
    return found | {
        f"{CHECKS}/{path.relative_to(TESTS)}": path
        for folder in folders
        for path in folder.rglob("*.py")
    }
