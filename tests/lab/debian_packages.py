"""Programs taken out of Debian's packages, which are not installed.

An installation would start servers of its own, with every start of the machine.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.errors import LabError
from lab.processes import run
from lab.programs import Say, alone, cache


def unpacked(
    name: str, packages: Sequence[str], say: Say = print, options: Sequence[str] = ()
) -> Path:
    """The folder of this name in the cache, with the files of the packages; fetched once.

    `options` are apt's, for packages that the machine's own lists do not have.
    """
    finished = cache() / name
    with alone(cache() / f"{name}.lock"):
        if not finished.exists():
            _place(finished, packages, say, options)
    return finished


def _place(finished: Path, packages: Sequence[str], say: Say, options: Sequence[str]) -> None:
    say(f"fetching Debian's {', '.join(packages)}")
    with TemporaryDirectory(dir=cache()) as name:
        folder = Path(name)
        apt = ["env", f"--chdir={folder}", "apt-get", "--quiet", "-oAcquire::Retries=5", *options]
        try:
            run([*apt, "download", *packages], timeout=300)
        except LabError:  # the lists of packages are missing or old
            try:
                run([*apt, "update"], timeout=300)
                run([*apt, "download", *packages], timeout=300)
            except LabError as error:
                raise LabError(f"cannot fetch Debian's {', '.join(packages)}: {error}") from error
        for package in folder.glob("*.deb"):
            run(["dpkg-deb", "--extract", str(package), str(folder / "files")])
        (folder / "files").rename(finished)
