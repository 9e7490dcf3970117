"""Who leads, and which replicas there are."""

from duravip_operator.leadership.elector import Elector
from duravip_operator.leadership.members import Members

__all__ = ["Elector", "Members"]
