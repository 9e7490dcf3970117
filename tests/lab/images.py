"""The images of the programs, built from the same wheel that is published.

Debian's Python, what both programs depend on, what one of them needs besides, the wheel: four
layers, of which the first three are kept for as long as nothing in them changes. So a change of
code costs the last one only, and neither image holds the other's dependencies.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lab import programs
from lab.image import base, postfix, wheels
from lab.image.oci import Blob, Image, blob, write_archive, write_layer

PROJECT: Final = Path(__file__).parents[2]
PAUSE: Final = "localhost/pause:1"
"""What holds a pod's namespaces; containerd is told of it by this name."""
PYTHON: Final = "docker.io/library/python:3.11-slim"
"""What the examples run, which no lab can fetch."""
USERS: Final = {"operator": "65532:65532", "agent": "0:0", "mail": "0:0"}
IN_EVERY_LAB: Final = ("operator", "agent")
"""The image with Postfix is large: `write_mail_image` makes it for those who need it."""
SHARED: Final = "shared"
ENVIRONMENT: Final = (
    f"PYTHONPATH=/{wheels.APP}",
    "PYTHONUNBUFFERED=1",
    "PYTHONDONTWRITEBYTECODE=1",
)
NAMED: Final = "LOGNAME=duravip"
"""Early versions ran as a user with a name only, which the base has no more."""


def write_images(archive: Path, cache: Path, *, with_python: bool = False) -> None:
    """Build both programs' images from the source as it is now; one archive holds them all.

    Beside it their names are written, which change with every change of an image. `with_python`
    adds what stands in for the image of Python that the examples in docs/ name; not for a node
    that can fetch the real one.
    """
    with _work_folder(cache) as work:
        images = _build(cache, work, PROJECT, ENVIRONMENT)
        if with_python:
            bottom = images[PAUSE].layers
            images[PYTHON] = Image("docker.io/library/python", bottom, ("/usr/bin/python3",))
        _write(archive, images)


def write_former_images(archive: Path, cache: Path, source: Path) -> None:
    """Build both from the source of an earlier commit, on what the present ones depend on."""
    with _work_folder(cache) as work:
        _write(archive, _build(cache, work, source, (*ENVIRONMENT, NAMED)))


def write_mail_image(archive: Path, cache: Path) -> str:
    """The same for the image with Postfix, which is this machine's; gives the image's name."""
    with _work_folder(cache) as work:
        bottom, shared, top = _common(cache, work, PROJECT)
        below = _cached(cache, "postfix", [bottom.digest, postfix.identity()], _write_postfix)
        image = _image("mail", (bottom, below, shared, top))
        write_archive(archive, {image.reference: image})
    return image.reference


def names_file(archive: Path) -> Path:
    """The file beside an archive that holds the names of the images in it, one a line."""
    return archive.with_name(f"{archive.name}.names")


@contextmanager
def _work_folder(cache: Path) -> Iterator[Path]:
    """A folder that is gone afterwards; nobody else makes images with this cache meanwhile."""
    with programs.alone(cache / "lock"), TemporaryDirectory(dir=cache) as name:
        yield Path(name)


def _write(archive: Path, images: dict[str, Image]) -> None:
    write_archive(archive, images)
    names_file(archive).write_text("\n".join(images))


def _build(cache: Path, work: Path, source: Path, env: tuple[str, ...]) -> dict[str, Image]:
    """All images, by the name that a pod or containerd calls them by."""
    bottom, shared, top = _common(cache, work, source)
    pause = Image("localhost/pause", (bottom,), ("/bin/sleep", "infinity"))
    images = {PAUSE: pause}
    for program in IN_EVERY_LAB:
        layers = (bottom, shared, _dependencies(cache, program, bottom, shared), top)
        image = _image(program, layers, env)
        images[image.reference] = image
    return images


def _common(cache: Path, work: Path, source: Path) -> tuple[Blob, Blob, Blob]:
    """What is in every image: Debian's Python, what all programs depend on, the wheel."""
    bottom = _cached(cache, "base", [base.identity()], _write_base)
    top = work / "application.tar"
    wheels.write_application(top, wheels.build_wheel(source, work / "wheel"))
    return bottom, _dependencies(cache, SHARED, bottom), blob(top)


def _image(program: str, layers: tuple[Blob, ...], env: tuple[str, ...] = ENVIRONMENT) -> Image:
    start = ("/usr/bin/python3", "-m", f"duravip_{program}")
    return Image(f"localhost/duravip-{program}", layers, start, USERS[program], env)


def _dependencies(cache: Path, name: str, *below: Blob) -> Blob:
    """What a program depends on, or both; without what the layers below it hold already."""
    wanted = wheels.requirements(PROJECT, "" if name == SHARED else name)
    lowest = below[1].data if len(below) > 1 else None
    under = lowest if isinstance(lowest, Path) else None
    made_of = [*(layer.digest for layer in below), *wanted]
    return _cached(
        cache,
        f"{name}-dependencies",
        made_of,
        lambda layer: wheels.write_dependencies(layer, wanted, under),
    )


def _cached(cache: Path, name: str, made_of: Iterable[str], write: Callable[[Path], None]) -> Blob:
    key = blake2b("\0".join(made_of).encode(), digest_size=8).hexdigest()
    layer = cache / f"{name}-{key}.tar"
    if not layer.exists():
        for old in cache.glob(f"{name}-*.tar"):
            old.unlink()
        write(layer)
    return blob(layer)


def _write_base(layer: Path) -> None:
    write_layer(layer, base.entries())


def _write_postfix(layer: Path) -> None:
    write_layer(layer, postfix.entries())


def main() -> None:
    """`make images`: build them, and say where they are and what they are called."""
    archive = programs.cache() / "images/images.tar"
    write_images(archive, archive.parent)
    print(archive, names_file(archive).read_text(), sep="\n")


if __name__ == "__main__":
    main()
