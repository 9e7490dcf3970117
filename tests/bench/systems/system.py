"""What the benchmark needs of a system that keeps addresses alive."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from bench.phases import Line

Act = Callable[[], float]
"""Makes something happen and gives the time.monotonic() of it."""


class System(Protocol):
    """It runs on the nodes of a lab; every address has a home, to which it returns."""

    @property
    def acts(self) -> Mapping[str, Act]:
        """By case: what happens to it."""

    @property
    def ends(self) -> Mapping[str, Act]:
        """By case: what ends that, while the observer still looks."""

    def patience(self, case: str, count: int) -> float:
        """Seconds within which the addresses ought to be back."""

    def start(self) -> None:
        """Start all of its programs."""

    def serve(self, count: int) -> None:
        """Serve so many addresses, never fewer than before."""

    def settle(self, case: str) -> None:
        """Bring back whatever the last run has broken; every address is at home on return."""

    def log(self) -> Iterator[Line]:
        """What its programs have logged, as far as it can be read."""
