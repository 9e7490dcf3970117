"""buildah on the engine's machine: it is what podman builds and loads with."""

from pathlib import Path

from lab.docker_engine import Engine


class Buildah:
    """It needs no daemon, and with `chroot` no runtime either."""

    def __init__(self, engine: Engine) -> None:
        self._machine = engine.machine
        folder = engine.disk / "buildah"
        places = [f"--root={folder / 'root'}", f"--runroot={folder / 'run'}"]
        self._command = ["buildah", *places, "--storage-driver=overlay"]

    def __call__(self, *words: str | Path) -> str:
        """What a command prints; it must exit with 0."""
        return self._machine.run([*self._command, *map(str, words)], timeout=900)

    def run(self, image: str, *words: str) -> str:
        """What a program in the image prints."""
        container = self("from", "--pull-never", image).strip()
        return self("run", "--isolation=chroot", container, "--", *words)
