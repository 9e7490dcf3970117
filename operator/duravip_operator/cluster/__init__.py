"""The API server: what the operator reads from it once, and everything that it writes."""

from duravip_operator.cluster.objects import Cluster
from duravip_operator.cluster.pending import Urgency, urgency_of
from duravip_operator.cluster.preflight import preflight
from duravip_operator.cluster.requests import ApiError
from duravip_operator.cluster.statuswriter import StatusWriter

__all__ = ["ApiError", "Cluster", "StatusWriter", "Urgency", "preflight", "urgency_of"]
