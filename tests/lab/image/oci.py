"""Image archives of two formats at once: OCI's, and that of `docker save`.

So containerd and kind, docker, podman and skopeo take them.

Layers are plain tars, so that one SHA-256 is both the digest and the diff id. Owners are root,
times are zero and names sorted: the same files always give the same image.
"""

import hashlib
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Final

MEDIA: Final = "application/vnd.oci.image"
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
SEARCH_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Content = Path | bytes | str | None
"""What stands at a name in a layer: the file that is copied, its bytes, where a symbolic link
points to, or None for a folder."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of an archive, named by its content."""

    digest: str
    size: int
    data: Path | bytes

    @property
    def name(self) -> str:
        """Where it is in the archive."""
        return f"blobs/{self.digest.replace(':', '/')}"


def blob(data: Path | bytes) -> Blob:
    """Make a blob of bytes or of a file."""
    if isinstance(data, bytes):
        return Blob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), data)
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Blob(f"sha256:{digest}", data.stat().st_size, data)


def write_layer(path: Path, entries: Mapping[str, Content]) -> None:
    """Write a layer's tar; it appears under its name only when it is whole."""
    unfinished = path.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        for name in sorted(entries):
            _add(tar, name, entries[name])
    unfinished.rename(path)


def entries_of(folder: Path, prefix: str) -> dict[str, Content]:
    """Everything below a folder, to stand below `prefix` in a layer."""
    return {f"{prefix}/{p.relative_to(folder)}": p for p in folder.rglob("*") if p.is_file()}


@dataclass(frozen=True)
class Image:
    """An image: its layers, and what starts in it."""

    repository: str
    layers: tuple[Blob, ...]
    entrypoint: tuple[str, ...]
    user: str = "0:0"
    env: tuple[str, ...] = field(default=())

    @cached_property
    def config(self) -> Blob:
        """What the runtime starts."""
        start = {"Env": [SEARCH_PATH, *self.env], "Entrypoint": self.entrypoint, "User": self.user}
        diffs = [layer.digest for layer in self.layers]
        return _json(
            {
                **_platform(),
                "config": start,
                "rootfs": {"type": "layers", "diff_ids": diffs},
                "history": [{"created_by": "lab"} for _ in diffs],
            }
        )

    @cached_property
    def manifest(self) -> Blob:
        """The image's table of contents; its digest is the image's."""
        layers = [_described(layer, f"{MEDIA}.layer.v1.tar") for layer in self.layers]
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": f"{MEDIA}.manifest.v1+json",
                "config": _described(self.config, f"{MEDIA}.config.v1+json"),
                "layers": layers,
            }
        )

    @property
    def tag(self) -> str:
        """A new one for each content, so that a changed image is always a changed reference."""
        return self.manifest.digest.removeprefix("sha256:")[:12]

    @property
    def reference(self) -> str:
        """What a pod calls it by."""
        return f"{self.repository}:{self.tag}"


def write_archive(path: Path, images: Mapping[str, Image]) -> None:
    """Write the images, by reference, to one archive; layers that they share are in it once."""
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                **_described(image.manifest, f"{MEDIA}.manifest.v1+json"),
                "platform": _platform(),
                "annotations": {
                    "io.containerd.image.name": reference,
                    "org.opencontainers.image.ref.name": reference,
                },
            }
            for reference, image in images.items()
        ],
    }
    names: dict[Image, list[str]] = {}
    for reference, image in images.items():
        names.setdefault(image, []).append(reference)
    saved = [
        {
            "Config": image.config.name,
            "RepoTags": references,
            "Layers": [layer.name for layer in image.layers],
        }
        for image, references in names.items()
    ]
    blobs = {
        part.name: part.data
        for image in images.values()
        for part in (*image.layers, image.config, image.manifest)
    }
    unfinished = path.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps(index).encode())
        _add(tar, "manifest.json", json.dumps(saved).encode())
        for name, data in blobs.items():
            _add(tar, name, data)
    unfinished.rename(path)


def _add(tar: tarfile.TarFile, name: str, content: Content) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o755
    if content is None:
        entry.type = tarfile.DIRTYPE
        entry.mode = 0o1777 if name == "tmp" else 0o755
        tar.addfile(entry)
    elif isinstance(content, str):
        entry.type, entry.linkname = tarfile.SYMTYPE, content
        tar.addfile(entry)
    elif isinstance(content, bytes):
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, BytesIO(content))
    else:
        found = content.stat()
        entry.size, entry.mode = found.st_size, found.st_mode & 0o755
        with content.open("rb") as file:
            tar.addfile(entry, file)


def _platform() -> dict[str, str]:
    machine = platform.machine()
    return {"architecture": ARCHITECTURES.get(machine, machine), "os": "linux"}


def _described(part: Blob, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": part.digest, "size": part.size}


def _json(value: dict[str, Any]) -> Blob:
    return blob(json.dumps(value, sort_keys=True).encode())
