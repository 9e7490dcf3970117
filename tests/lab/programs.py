"""The programs of Kubernetes: built once from Go modules, kept outside the tree.

Where they are kept follows from all that they are made of; so a changed go.mod, main.go or
compiler gives a new build, and an old tree still finds its own.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.processes import run

MODULE: Final = Path(__file__).with_name("kubernetes")
VERSION: Final = "v1.36.3"
NAMES: Final = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet",
    "kube-proxy", "kubectl",
)  # fmt: skip
OLDEST_GO: Final = (1, 26)
REPORT_EVERY: Final = 5.0
SETTINGS: Final = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -trimpath"}
"""Static and reproducible: one binary for every machine and container."""

Say = Callable[[str], None]


def cache() -> Path:
    """The folder for what takes long to make and outlives every lab."""
    return Path(os.environ.get("DURAVIP_CACHE") or Path.home() / ".cache/duravip")


def place() -> Path:
    """The folder with the programs, once they are built."""
    return cache() / f"kubernetes-{_fingerprint(go_version())}"


def build(say: Say = print) -> Path:
    """Build the programs, unless they are there; gives their folder."""
    finished = place()
    if finished.exists():
        return finished
    waiting = partial(say, "waiting for another build of Kubernetes to end")
    with alone(finished.with_suffix(".lock"), waiting):
        if not finished.exists():
            _build(finished, say)
    return finished


def go_version() -> str:
    """The version of the Go compiler, which must be new enough."""
    wanted = ".".join(map(str, OLDEST_GO))
    if not shutil.which("go"):
        raise LabError(
            f"cannot build Kubernetes: install Go {wanted} or newer (https://go.dev/dl)"
        )
    version = run(["go", "env", "GOVERSION"]).strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST_GO:
        raise LabError(f"cannot build Kubernetes: Go {wanted} or newer is needed, not {version}")
    return version


def _fingerprint(go: str) -> str:
    parts = [(MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    parts += [go.encode(), VERSION.encode(), repr(SETTINGS).encode()]
    return blake2b(b"\0".join(parts), digest_size=8).hexdigest()


@contextmanager
def alone(file: Path, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of this file, so that what is kept in a cache is made once.

    `on_wait` is called if another process has it. The file's folder is made if need be.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(finished: Path, say: Say) -> None:
    say(f"building Kubernetes {VERSION}: once, and some 5 minutes on two cores")
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as name:
        work = Path(name) / "programs"
        work.mkdir()
        packages = Path(name) / "packages"
        # The list is what brings the modules in; `go build` then needs no network.
        _go(["list", "-deps", "."], packages, lambda: "fetching its modules", say)
        total = len(packages.read_text().splitlines())
        compiled = Path(name) / "compiled"

        def progress() -> str:
            return f"compiled {len(compiled.read_text().splitlines())} of at most {total} packages"

        binary = str(work / "kubernetes")
        _go(["build", "-v", "-ldflags", stamp(), "-o", binary, "."], compiled, progress, say)
        for program in NAMES:
            (work / program).symlink_to("kubernetes")
        work.rename(finished)
    say(f"Kubernetes {VERSION} is in {finished}")


def _go(arguments: list[str], log: Path, progress: Callable[[], str], say: Say) -> None:
    """Run a command of Go that writes to a log; report on it every few seconds."""
    start = time.monotonic()
    with log.open("wb") as out:
        job = subprocess.Popen(
            ["go", *arguments],
            cwd=MODULE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **SETTINGS},
        )
    try:
        while job.poll() is None:
            try:
                job.wait(REPORT_EVERY)
            except subprocess.TimeoutExpired:
                minutes, seconds = divmod(round(time.monotonic() - start), 60)
                say(f"  {minutes}:{seconds:02} {progress()}")
    finally:
        job.kill()
        job.wait()
    if job.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"cannot build Kubernetes: go {arguments[0]}: {' '.join(last)}")


def run_go(failure: str, words: Sequence[str], folder: Path | None = None, **more: str) -> str:
    """What a command of Go prints, run in this folder; what fails is said after `failure`."""
    done = subprocess.run(
        ["go", *words],
        cwd=folder,
        env={**os.environ, **SETTINGS, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"{failure}: {done.stderr.strip()[-500:]}")
    return done.stdout


def stamp() -> str:
    """The linker's flags. Without a version, charts that ask for one are refused by Helm."""
    major, minor, _ = VERSION.removeprefix("v").split(".")
    server, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
    values = {
        f"{package}.{field}": value
        for package in (server, client)
        for field, value in (
            ("gitVersion", VERSION),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
        )
    }
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in values.items())])
