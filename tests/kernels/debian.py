"""Debian's kernels: the newest of each of its releases, taken out of their packages.

None is installed: a kernel's package would change what the machine boots. The lists of packages
are kept apart from the machine's as well, so that any Debian can take the kernels of all others.
"""

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.debian_packages import unpacked
from lab.errors import LabError
from lab.processes import run
from lab.programs import Say, alone, cache

ARCHIVES: Final = {
    "bookworm-security": "https://deb.debian.org/debian-security",
    "trixie-security": "https://deb.debian.org/debian-security",
    "trixie-backports": "https://deb.debian.org/debian",
}
"""The suites whose kernels are taken, and where each of them is: small lists, all of them."""
KEYS: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEWEST: Final = "linux-image-cloud-amd64"
"""The package that depends on a suite's newest kernel: without drivers of hardware, and small."""
PARTS: Final = re.compile(r"linux-(?:image|binary|modules)-(\d\S*-cloud-amd64)")
MACHINE: Final = "x86_64"


@dataclass(frozen=True)
class Kernel:
    """A kernel, unpacked."""

    release: str
    """What `uname -r` says there."""
    folder: Path

    @property
    def image(self) -> Path:
        """What is booted."""
        (image,) = self.folder.glob("**/vmlinuz*")
        return image

    @property
    def modules(self) -> dict[str, Path]:
        """The files of its modules, by name."""
        files = self.folder.glob(f"**/lib/modules/{self.release}/kernel/**/*.ko*")
        return {file.name.partition(".")[0].replace("-", "_"): file for file in files}


def newest_kernel(suite: str, say: Say = print) -> Kernel:
    """The newest kernel of a suite; LabError when it cannot be had."""
    if platform.machine() != MACHINE:
        raise LabError(f"the virtual machines need {MACHINE}, and this is {platform.machine()}")
    home = cache() / "kernels"
    (home / suite / "lists/partial").mkdir(parents=True, exist_ok=True)
    with alone(home / "lock"):
        options = _options(home / suite, suite)
        run(["apt-get", *options, "--quiet", "update"], timeout=300)
        release, packages = _packages(options, suite)
    return Kernel(release, unpacked(f"kernels/{release}", packages, say, options))


def _options(state: Path, suite: str) -> list[str]:
    """What lets apt look at this suite only, in lists of its own."""
    sources = state / "suite.list"
    sources.write_text(f"deb [signed-by={KEYS}] {ARCHIVES[suite]} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": state / "lists",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    return [part for name, value in settings.items() for part in ("--option", f"{name}={value}")]


def _packages(options: list[str], suite: str) -> tuple[str, list[str]]:
    """The newest kernel's release, and the packages that it is in."""
    only = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks")]
    listed = run(["apt-cache", *options, "depends", "--recurse", *only, NEWEST])
    parts = {match[0]: match[1] for match in PARTS.finditer(listed)}
    releases = {*parts.values()}
    if len(releases) != 1:
        raise LabError(f"{suite} has not one newest kernel but {sorted(releases)}")
    return releases.pop(), sorted(parts)
