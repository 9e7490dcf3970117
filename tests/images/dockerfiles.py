"""The Dockerfiles of the programs, built as their first lines say."""

from pathlib import Path
from typing import Final

from lab.docker_engine import Engine

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "localhost/python:3.11-slim-bookworm"
"""What they are built on: `lab.python_slim`."""


def build(engine: Engine, program: str) -> str:
    """Build the image of a program; gives its name."""
    where = ("--network=host", f"--build-arg=BASE={BASE}", f"--file={ROOT / program}/Dockerfile")
    return engine.build(f"localhost/duravip-{program}:dockerfile", *where, str(ROOT))
