"""The image of kind's nodes: made by kind's own builder without a registry, and kept.

The builder wants a release of Kubernetes as one file, with the images of the control plane in it,
and a base image. Both are made here; README.md tells of what they are made.
"""

import tarfile
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kind import control_plane
from kind import programs as kind_programs
from kind.docker_host import RUNC
from lab import programs, python_slim
from lab.docker_engine import Engine
from lab.image import base
from lab.processes import run
from lab.programs import Say, alone, cache

HERE: Final = Path(__file__).parent
SOURCES: Final = (RUNC, Path(control_plane.__file__), Path(__file__))
NAME: Final = f"kindest/node:{programs.VERSION}"
PYTHON: Final = "localhost/python:3.11-slim-bookworm"
KIND_BASE: Final = "localhost/kind-base"
NODE_BASE: Final = "localhost/kind-node-base"
SMALL: Final = ("kube-controller-manager", "kube-proxy", "kube-scheduler")
"""Of the four archives of a release these hold nothing: all images are in the fourth one."""
MINUTES: Final = 900


def load(engine: Engine, say: Say = print) -> str:
    """Give the daemon the image, which is made if need be; its name."""
    kept = cache() / f"kind-node-{_key()}.tar"
    with alone(cache() / "kind-node.lock"):
        if kept.exists():
            engine.docker("load", f"--input={kept}", timeout=MINUTES)
            return NAME
        for old in cache().glob("kind-node-*.tar"):
            old.unlink()
        say("making the image of kind's nodes: once, and some minutes")
        _make(engine, kind_programs.build(say))
        unfinished = kept.with_suffix(".unfinished")
        engine.docker("save", f"--output={unfinished}", NAME, timeout=MINUTES)
        unfinished.rename(kept)
    return NAME


def _key() -> str:
    """It changes with all that the image is made of."""
    own = [file.read_text() for file in (*sorted(HERE.glob("node/*")), *SOURCES)]
    made_of = [kind_programs.place().name, python_slim.archive().name, base.identity(), *own]
    return blake2b("\0".join(made_of).encode(), digest_size=8).hexdigest()


def _make(engine: Engine, folder: Path) -> None:
    engine.load_python(PYTHON)
    sources = kind_programs.sources()
    theirs = sources / "images/base"
    engine.build(KIND_BASE, f"--build-arg=BASE_IMAGE={PYTHON}", "--target=base", str(theirs))
    ours = f"--file={HERE / 'node/Dockerfile'}"
    engine.build(NODE_BASE, f"--build-arg=BASE={KIND_BASE}", ours, str(HERE))
    with TemporaryDirectory(dir=engine.folder) as name:
        release = _release(Path(name), folder, sources)
        build = [str(folder / "kind"), "build", "node-image", "--type=file", str(release)]
        images = [f"--base-image={NODE_BASE}", f"--image={NAME}"]
        engine.machine.run(engine.with_docker([*build, *images]), timeout=MINUTES)


def _release(work: Path, folder: Path, sources: Path) -> Path:
    """A release of Kubernetes as its download site has it."""
    kubeadm = folder / "kubeadm"
    listed = run(
        [str(kubeadm), "config", "images", "list", f"--kubernetes-version={programs.VERSION}"]
    )
    names = control_plane.image_names(listed.split(), sources)
    control_plane.write_images(work / "kube-apiserver.tar", names, work)
    for program in SMALL:
        control_plane.write_small_image(work / f"{program}.tar", f"localhost/{program}:empty")
    (work / "version").write_text(programs.VERSION)
    built = programs.place() / "kubernetes"
    files = {"kubeadm": kubeadm, "kubelet": built, "kubectl": built}
    files |= {tar.name: tar for tar in work.glob("kube-*.tar")}
    finished = work / "kubernetes.tar.gz"
    with tarfile.open(finished, "w:gz", compresslevel=1) as tar:
        tar.add(work / "version", "kubernetes/version")
        for name, file in files.items():
            tar.add(file, f"kubernetes/server/bin/{name}")
    return finished
