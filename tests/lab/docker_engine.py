"""A docker daemon on a machine of a lab, with a way to the registries.

The machine has namespaces and control groups of its own. So the daemon, its containers and their
mounts end with the lab, however that ends, and nothing outside sees rules or cards of them.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import python_slim
from lab.debian_packages import unpacked
from lab.errors import LabError
from lab.layout import Layout
from lab.machines import Machine
from lab.processes import attempt, run, wait_for

PACKAGES: Final = ("docker.io", "tini")
PROBED: Final = "deb.debian.org"
RESOLVER: Final = "nameserver 10.0.2.3\n"
"""Where slirp4netns asks this machine's resolver."""
WRITTEN: Final = ("/etc", "/opt")
"""Where dockerd and its containerd leave files, whatever folders they are given."""
TRIES: Final = 2
PLENTY: Final = 6 << 30
"""Bytes of memory, of which the images of the programs together take half."""


class Engine:
    """`start` and `stop` it; `docker` is its command line."""

    def __init__(
        self,
        layout: Layout,
        machine: Machine,
        options: Sequence[str],
        written: Sequence[str] = WRITTEN,
        plenty: int = PLENTY,
    ) -> None:
        """Give it options of dockerd. The machine must have control groups of its own.

        What is written to folders in `written` stays with the machine. Images are in memory where
        more than `plenty` bytes of it are free.
        """
        self.machine = machine
        self._options, self._written, self._plenty = options, written, plenty
        self.folder = machine.folder / "docker"
        self.disk = self.folder / "disk"
        """Where images are. Only the machine sees what is in it."""
        self.socket = self.folder / "docker.sock"
        self._files = unpacked("docker-of-debian", PACKAGES)
        self._namespace = layout.namespace_file(machine.name)
        self._slirp: subprocess.Popen[bytes] | None = None
        self._stays = -1

    @property
    def command(self) -> list[str]:
        """The beginning of every command line of it, outside the machine and in it."""
        return [str(self._files / "usr/bin/docker"), f"--host=unix://{self.socket}"]

    def with_docker(self, argv: Sequence[str], *programs: Path) -> list[str]:
        """The command line, for the machine, of a program that runs docker by itself.

        It finds programs in these folders, too, and has its temporary files in the machine's.
        """
        folders = [*programs, self._files / "usr/bin", os.environ["PATH"]]
        environment = {
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": self.folder / "client",
            "DOCKER_HOST": f"unix://{self.socket}",
            "PATH": ":".join(map(str, folders)),
            "TMPDIR": self.folder,
        }
        return ["env", *(f"{name}={value}" for name, value in environment.items()), *argv]

    def start(self) -> None:
        """The daemon answers when this returns."""
        self.disk.mkdir(parents=True)
        if _free_memory() > self._plenty:
            self.machine.run(["mount", "-t", "tmpfs", "-o", "size=80%", "tmpfs", str(self.disk)])
        for place in self._written:
            self._keep_writes(place)
        self._open_way_out()
        settings = self.folder / "daemon.json"  # not those of a docker that is installed
        settings.write_text("{}")
        daemon = self.machine.spawn(
            [
                str(self._files / "usr/sbin/dockerd"),
                f"--host=unix://{self.socket}",
                f"--data-root={self.disk / 'docker'}",
                f"--exec-root={self.folder / 'run'}",
                f"--pidfile={self.folder / 'docker.pid'}",
                f"--config-file={settings}",
                "--storage-driver=overlay2",
                *self._options,
            ],
            env={"PATH": f"{self._files}/usr/sbin:{os.environ['PATH']}"},
        )

        def is_up() -> bool:
            if not daemon.is_running:
                raise LabError(f"dockerd has ended: {daemon.output()[-2000:]}")
            return attempt([*self.command, "version"]).returncode == 0

        wait_for(is_up, "dockerd answers", timeout=120, every=0.2)

    def stop(self) -> None:
        """Close the way out; all else ends with the machine."""
        if self._slirp:
            self._slirp.kill()
            self._slirp.wait()
            os.close(self._stays)

    def docker(self, *words: str, text: str | None = None, timeout: float = 120) -> str:
        """What a command prints; it must exit with 0."""
        return run([*self.command, *words], text, timeout)

    def build(self, name: str, *words: str) -> str:
        """Build an image, with these words after `docker build`; gives its name."""
        command = [*self.command, "build", "--progress=plain", f"--tag={name}", *words]
        for more in reversed(range(TRIES)):
            try:
                run(["env", "DOCKER_BUILDKIT=1", *command], timeout=900)
                break
            except LabError:  # a registry has failed, perhaps; the steps before it are kept
                if not more:
                    raise
        return name

    def load_python(self, name: str) -> None:
        """Give it the stand-in for python:3.11-slim, under this name."""
        settings = [f"--change=ENV {line}" for line in python_slim.ENVIRONMENT]
        self.docker("import", *settings, str(python_slim.archive()), name)

    def run(self, image: str, *words: str, options: Sequence[str] = ()) -> str:
        """What a container of the image prints until it ends; its exit code must be 0."""
        return self.docker("run", "--rm", "--network=host", *options, image, *words)

    def _keep_writes(self, place: str) -> None:
        """What is written there stays with the machine."""
        upper, work = (self.folder / f"{kind}{place}" for kind in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir(parents=True)
        options = f"lowerdir={place},upperdir={upper},workdir={work}"
        self.machine.run(["mount", "-t", "overlay", "-o", options, "overlay", place])

    def _open_way_out(self) -> None:
        """A card that leads to the registries; its process ends when ours does."""
        self.machine.run(
            ["cp", "--remove-destination", "/dev/stdin", "/etc/resolv.conf"], RESOLVER
        )
        self.machine.attempt(["ip", "route", "del", "default"])  # to a control network
        told, tells = os.pipe()
        leaves, self._stays = os.pipe()  # open for as long as we live
        slirp = ["slirp4netns", "--configure", "--disable-host-loopback", "--netns-type=path"]
        descriptors = [f"--ready-fd={tells}", f"--exit-fd={leaves}"]
        self._slirp = subprocess.Popen(
            [*slirp, *descriptors, str(self._namespace), "tap0"],
            pass_fds=(tells, leaves),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(tells)
        os.close(leaves)
        with os.fdopen(told) as pipe:
            if not pipe.read(1):
                raise LabError("slirp4netns has not made its card: is there a /dev/net/tun?")

        def is_out() -> bool:
            return self.machine.attempt(["getent", "ahostsv4", PROBED]).returncode == 0

        wait_for(is_out, f"{PROBED} is found: builds need Debian's packages and PyPI", every=1)


def _free_memory() -> int:
    """What programs may take without swapping, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
