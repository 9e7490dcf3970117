"""The images of a kubeadm cluster: one, under all their names, with the lab's programs in it.

It is made of this machine's own Debian files, as the images of the lab are. What starts in it
under a name that the lab has no program for is `node/stand-in`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import programs
from lab.image import base
from lab.image.oci import Content, Image, blob, write_archive, write_layer
from lab.images import PYTHON

STAND_IN: Final = Path(__file__).parent / "node/stand-in"
PLACE: Final = "usr/local/bin"
TOOLS: Final = ("cat", "ip", "mv")
"""What the stand-in runs besides."""
XTABLES: Final = Path("/usr/sbin/xtables-nft-multi")
PLUGINS: Final = "/usr/lib/*/xtables"
XTABLES_NAMES: Final = tuple(
    f"{family}{action}"
    for family in ("iptables", "ip6tables")
    for action in ("", "-save", "-restore")
)
OF_KIND: Final = re.compile(r'"(docker\.io/kindest/[^"]+)"')
OF_SANDBOX: Final = re.compile(r'sandbox_image = "([^"]+)"')


def image_names(kubeadm: Sequence[str], sources: Path) -> list[str]:
    """What kind wants to be in a node: what kubeadm lists, and what kind's sources name."""
    constants = (sources / "pkg/build/nodeimage").glob("const_*.go")
    own = [name for file in constants for name in OF_KIND.findall(file.read_text())]
    settings = (sources / "images/base/files/etc/containerd/config.toml").read_text()
    return sorted({*kubeadm, *own, *OF_SANDBOX.findall(settings)})


def write_images(archive: Path, names: Sequence[str], work: Path) -> None:
    """Write the archive with the image of all these names, and with that of the examples."""
    layers = {"base": base.entries(), "control-plane": _entries()}
    for name, entries in layers.items():
        write_layer(work / name, entries)
    bottom, top = (blob(work / name) for name in layers)
    image = Image("localhost/control-plane", (bottom, top), (f"/{PLACE}/stand-in",))
    python = Image("docker.io/library/python", (bottom,), ("/usr/bin/python3",))
    write_archive(archive, dict.fromkeys(names, image) | {PYTHON: python})


def write_small_image(archive: Path, name: str) -> None:
    """Write an archive with an image that holds its name and nothing else."""
    layer = archive.with_suffix(".layer")
    write_layer(layer, {"name": name.encode()})
    write_archive(archive, {name: Image(name, (blob(layer),), ("/name",))})
    layer.unlink()


def _entries() -> dict[str, Content]:
    plugins = [path for folder in Path("/").glob(PLUGINS[1:]) for path in folder.glob("*.so")]
    tools = [Path("/bin", name) for name in TOOLS]
    files = [XTABLES, *tools, *plugins]
    found: dict[str, Content] = {base.merged(path): path for path in (*files, *base.needed(files))}
    found |= {f"usr/sbin/{name}": XTABLES.name for name in XTABLES_NAMES}
    found |= {f"{PLACE}/stand-in": STAND_IN, f"{PLACE}/local-path-provisioner": "stand-in"}
    found |= {f"{PLACE}/{name}": "kubernetes" for name in programs.NAMES}
    return found | {f"{PLACE}/kubernetes": programs.place() / "kubernetes"}
