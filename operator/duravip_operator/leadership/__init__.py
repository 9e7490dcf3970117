"""Who leads, and which replicas there are."""

from duravip_operator.leadership.elector import Elector
from duravip_operator.leadership.other_installations import Rivals
from duravip_operator.leadership.replicas import Members

__all__ = ["Elector", "Members", "Rivals"]
