"""The targets: each by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

MODULES: Final = ("datagrams", "frames", "netlink", "objects", "services")
"""Where they are."""

IGNORED: Final = "no object"
"""Says that nothing at all was read: what is made from such an input is none either."""

Check = Callable[[bytes], str]
"""Takes an input; raises where something is wrong, else says in a word what came of it."""


@dataclass(frozen=True)
class Target:
    """What is given inputs."""

    check: Check
    examples: tuple[bytes, ...]
    """Inputs as they should be: the others are made from them."""
    close: Callable[[], None] = lambda: None
    """Gives back what the target has opened."""
    longest: int = 1500
    """Bytes of an input."""
    within_s: float = 0.05
    """What one input may take of a processor: the machine may have other things to do."""
    within_mib: float = 16.0
    """By how much one input may let memory grow."""
    all_within_mib: float = 64.0
    """By how much all of a run may, what is kept of the inputs included."""


_MAKERS: dict[str, Callable[[], Target]] = {}


def target(name: str) -> Callable[[Callable[[], Target]], Callable[[], Target]]:
    """Enter a function that makes a target."""

    def enter(make: Callable[[], Target]) -> Callable[[], Target]:
        _MAKERS[name] = make
        return make

    return enter


def targets() -> dict[str, Callable[[], Target]]:
    """All of them."""
    for module in MODULES:
        import_module(f"fuzz.{module}")
    return dict(_MAKERS)
