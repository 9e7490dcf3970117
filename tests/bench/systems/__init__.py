"""The systems that are compared, each driven in the same way on a lab of its own."""

from typing import Final

from bench.plans import STRICT
from bench.systems.duravip import DuraVip
from bench.systems.keepalived import Keepalived
from bench.systems.system import System
from lab.cluster import Lab

ADVERTS: Final = {"keepalived-1s": 1.0, "keepalived-0.1s": 0.1}


def system(name: str, lab: Lab, *, mature: float) -> System:
    """The system of that name, not started yet."""
    if name in ADVERTS:
        return Keepalived(lab, ADVERTS[name])
    return DuraVip(lab, mature, "Strict" if name == STRICT else "Segment")


def absence(name: str) -> str:
    """Why a system cannot be measured on this machine; empty when it can."""
    return Keepalived.absence() if name in ADVERTS else ""
