"""A machine with a docker daemon, on which kind makes clusters; nothing is left of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.docker_engine import WRITTEN, Engine
from lab.kubelet_settings import KERNEL_SETTINGS
from lab.lone_machine import lone_machine

NAME: Final = "kind"
RUNC: Final = Path(__file__).with_name("runc_without_sys_resource.py")
RUNTIME: Final = (f"--add-runtime=adapted={RUNC}", "--default-runtime=adapted")
MODULES: Final = "/usr/lib"
"""docker makes the folder with the kernel's modules, for the nodes, where there is none."""
PLENTY: Final = 14 << 30
"""Bytes of memory, of which images, nodes and what runs on these take a good half."""
SETTINGS: Final = Path("/proc/sys")


@contextmanager
def docker_host() -> Iterator[Engine]:
    """The daemon gives its containers a bridge, and rights as far as we have them."""
    written = (*WRITTEN, MODULES)
    with kept_kernel_settings(), lone_machine(NAME) as (layout, machine):
        engine = Engine(layout, machine, RUNTIME, written, PLENTY)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()


@contextmanager
def kept_kernel_settings() -> Iterator[None]:
    """Give the kernel back the settings that a node's kubelet changes for the whole machine."""
    files = [SETTINGS / name for name in KERNEL_SETTINGS]
    before = [file.read_text() for file in files]
    try:
        yield
    finally:
        for file, value in zip(files, before, strict=True):
            if file.read_text() != value:
                file.write_text(value)
