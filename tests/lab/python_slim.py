"""What the Dockerfiles are built on here: a stand-in for python:3.11-slim-bookworm.

No registry can be reached, Debian's packages can. So: Debian 12 by debootstrap, and where that
image has its Python, in /usr/local, a virtual environment of Debian's own, with pip. Python's
packages are thus where they are in the original, and so is pip, which the Dockerfiles remove.
"""

import shutil
import time
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lab.errors import LabError
from lab.processes import run
from lab.programs import Say, alone, cache

SUITE: Final = "bookworm"
MIRROR: Final = "http://deb.debian.org/debian"
PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""Those that this machine trusts: a proxy between it and the registry may have its own."""
APT: Final = 'Acquire::Retries "5";\nAPT::Install-Recommends "false";\n'
ENVIRONMENT: Final = (
    "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    f"PIP_CERT={AUTHORITIES}",
    "PIP_DEFAULT_TIMEOUT=60",
    "PIP_RETRIES=8",
)
TRIES: Final = 3
FINISH: Final = r"""
set -eu
chroot "$1" python3 -m venv /usr/local
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
tar --create --numeric-owner --one-file-system --directory "$1" --file "$2" .
"""


def archive(say: Say = print) -> Path:
    """The root of the image as a tar; made once, which takes a minute."""
    made_of = [SUITE, MIRROR, *PACKAGES, APT, FINISH, AUTHORITIES.read_text()]
    key = blake2b("\0".join(made_of).encode(), digest_size=8).hexdigest()
    folder = cache() / "images"
    finished = folder / f"python-slim-{key}.tar"
    with alone(folder / "python-slim.lock"):
        if not finished.exists():
            for old in folder.glob("python-slim-*.tar"):
                old.unlink()
            say("making an image of Debian with Python: once, and about a minute")
            with TemporaryDirectory(dir=folder) as work:
                _make(Path(work), say).rename(finished)
    return finished


def _make(work: Path, say: Say) -> Path:
    """In namespaces of its own, which take along what debootstrap mounts and starts."""
    root, tar = work / "root", work / "root.tar"
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    include = f"--include={','.join(PACKAGES)}"
    fetch = [*alone, "debootstrap", "--variant=minbase", include, SUITE, str(root), MIRROR]
    for attempt in range(1, TRIES + 1):
        try:
            run(fetch, timeout=900)
            break
        except LabError as error:
            if attempt == TRIES:
                raise LabError(f"cannot fetch Debian's packages from {MIRROR}: {error}") from error
            say(f"trying again: {str(error)[-200:]}")
            shutil.rmtree(root, ignore_errors=True)
            time.sleep(5)
    (root / "etc/apt/apt.conf.d/80images").write_text(APT)
    shutil.copy(AUTHORITIES, root / AUTHORITIES.relative_to("/"))
    run([*alone, "sh", "-c", FINISH, "sh", str(root), str(tar)], timeout=300)
    return tar
