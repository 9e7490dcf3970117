"""Who leads, and which replicas there are."""

from duravip_operator.leadership.elector import Elector
from duravip_operator.leadership.members import Members
from duravip_operator.leadership.rivals import Rivals

__all__ = ["Elector", "Members", "Rivals"]
