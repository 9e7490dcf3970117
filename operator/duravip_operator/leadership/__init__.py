"""Who leads, and which replicas there are."""

from duravip_operator.leadership.elector import Elector
from duravip_operator.leadership.other_installations import OtherInstallations
from duravip_operator.leadership.replicas import Replicas

__all__ = ["Elector", "OtherInstallations", "Replicas"]
