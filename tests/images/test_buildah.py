"""The Dockerfiles are no dialect of docker's: buildah, which podman builds with, takes one too."""

from duravip_runtime.settings import PROGRAM_VERSION
from images.buildah import Buildah
from images.dockerfiles import BASE, ROOT
from lab.docker_engine import Engine

IMAGE = "localhost/duravip-operator:buildah"


def test_buildah_builds_the_same_dockerfile(engine: Engine, buildah: Buildah) -> None:
    base = engine.folder / "base.tar"
    engine.docker("save", f"--output={base}", BASE)
    buildah("pull", f"docker-archive:{base}")
    base.unlink()
    where = ("--isolation=chroot", "--network=host", "--pull-never", f"--build-arg=BASE={BASE}")
    file = ROOT / "operator/Dockerfile"
    buildah("build", *where, f"--tag={IMAGE}", f"--file={file}", ROOT)
    assert buildah.run(IMAGE, "duravip-operator", "--version").strip() == PROGRAM_VERSION
