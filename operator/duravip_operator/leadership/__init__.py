"""Leader election by a Lease, and the list of replicas."""

from duravip_operator.leadership.elector import Elector
from duravip_operator.leadership.leases import OtherInstallations
from duravip_operator.leadership.replicas import Replicas

__all__ = ["Elector", "OtherInstallations", "Replicas"]
