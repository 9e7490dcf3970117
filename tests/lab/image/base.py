"""The layer below all others: a small root made of this machine's own Debian files.

Debian's Python with its standard library, a shell, `sleep`, the agent's `nft`, and every shared
library that they need. It stands in for `python:slim`, which no build without a registry can have.
"""

import os
import re
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.image.oci import Content
from lab.processes import run

PYTHON: Final = Path("/usr/bin/python3")
PROGRAMS: Final = ("/bin/sh", "/bin/sleep", "/usr/sbin/nft")
EXPECTED: Final = (
    "libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "libresolv.so.2", "librt.so.1",
    "libstdc++.so.6", "libutil.so.1",
)  # fmt: skip
"""What a wheel of the `manylinux` kind takes for granted."""
FOLDERS: Final = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var")
MERGED: Final = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
"""Debian keeps these below /usr, and so do we."""
FILES: Final = {
    # Nobody but root: programs must run as any uid, with a name or without.
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": b"root:x:0:\n",
    "etc/nsswitch.conf": b"hosts: files dns\n",
}
UNUSED: Final = re.compile(
    r"__pycache__|test|idlelib|ensurepip|lib2to3|pydoc_data|turtledemo|tkinter|config-.*"
)
"""Folders of the standard library that neither program opens."""
LIBRARY: Final = re.compile(r"(/\S+\.so[.\d]*) \(0x")


@cache
def version() -> str:
    """The version of Debian's Python, e.g. 3.11."""
    if not PYTHON.exists():
        raise LabError(f"there is no {PYTHON}: apt-get install python3")
    return PYTHON.resolve().name.removeprefix("python")


def identity() -> str:
    """What the layer is made of, in one line: while it stays the same, so does the layer."""
    sources = [
        PYTHON.resolve(),
        *map(Path, PROGRAMS),
        _standard_library() / "os.py",
    ]
    files = [f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}" for path in sources]
    # Of this file what is in it: it is as old, and where, as the checkout is.
    return " ".join([*files, blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest()])


def entries() -> dict[str, Content]:
    """Everything in the layer."""
    python = PYTHON.resolve()
    library = _standard_library()
    modules = [Path(top, n) for top, names in _walk(library) for n in names if n.endswith(".so")]
    programs = [python, *map(Path, PROGRAMS)]
    files = [*programs, *needed([*programs, *modules])]
    found: dict[str, Content] = dict.fromkeys((*FOLDERS, *MERGED.values()))
    found |= MERGED | FILES | {"usr/bin/python3": python.name}
    found |= {str(Path(top, n))[1:]: Path(top, n) for top, names in _walk(library) for n in names}
    return found | {merged(path): path for path in files}


def _standard_library() -> Path:
    return Path(f"/usr/lib/python{version()}")


def _walk(library: Path) -> Iterable[tuple[str, list[str]]]:
    for top, folders, names in os.walk(library):
        folders[:] = [folder for folder in folders if not UNUSED.fullmatch(folder)]
        yield top, [name for name in names if Path(top, name).is_file()]


def needed(files: Iterable[Path]) -> set[Path]:
    """Every shared library that these need."""
    listed = run(["ldd", *map(str, files)])
    found = {Path(name) for name in LIBRARY.findall(listed)}
    home = next(path.parent for path in found if path.name == "libc.so.6")
    return found | {home / name for name in EXPECTED}


def merged(path: Path) -> str:
    """Where a file of this machine is in a layer."""
    first, _, rest = str(path)[1:].partition("/")
    return f"{MERGED.get(first, first)}/{rest}"
