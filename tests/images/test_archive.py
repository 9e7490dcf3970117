"""The archive of `make images`: whoever loads images takes it."""

import json
from pathlib import Path

import pytest

from duravip_runtime.settings import PROGRAM_VERSION
from images.buildah import Buildah
from lab import programs
from lab.docker_engine import Engine
from lab.images import names_file, write_images
from lab.processes import run

VERSION = ("/usr/bin/python3", "-m", "duravip_operator", "--version")


@pytest.fixture(scope="module")
def archive(engine: Engine) -> Path:
    file = engine.folder / "images.tar"
    write_images(file, programs.cache() / "images")
    return file


@pytest.fixture
def operator(archive: Path) -> str:
    """The name of the operator's image in it."""
    names = names_file(archive).read_text().split()
    return next(name for name in names if "duravip-operator" in name)


def test_docker_loads_all_of_it(engine: Engine, archive: Path, operator: str) -> None:
    loaded = engine.docker("load", f"--input={archive}")
    for name in names_file(archive).read_text().split():
        assert f"Loaded image: {name}" in loaded
    straits = ["--read-only", "--cap-drop=ALL"]
    assert engine.run(operator, "--version", options=straits).strip() == PROGRAM_VERSION


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_podman_takes_one_image_out_of_it(
    buildah: Buildah, archive: Path, operator: str, transport: str
) -> None:
    image = buildah("pull", f"{transport}:{archive}:{operator}").strip()
    assert buildah.run(image, *VERSION).strip() == PROGRAM_VERSION


def test_skopeo_copies_one_image_out_of_it(archive: Path, operator: str) -> None:
    copied = archive.with_name("copied")
    source = f"docker-archive:{archive}:{operator}"
    run(["skopeo", "--insecure-policy", "copy", source, f"oci:{copied}"], timeout=300)
    assert json.loads((copied / "index.json").read_text())["manifests"]
