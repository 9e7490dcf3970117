"""Writes to the API server: specs of NodePlumbings, statuses, and the queue between."""

from duravip_operator.kube.preflight import preflight
from duravip_operator.kube.status_queue import Priority, priority_of
from duravip_operator.kube.status_writer import StatusWriter
from duravip_operator.kube.writer import KubeWriter
from duravip_runtime.api_error import ApiError

__all__ = ["ApiError", "KubeWriter", "Priority", "StatusWriter", "preflight", "priority_of"]
