"""Writes to the API server: specs of NodePlumbings, statuses, and the queue between."""

from duravip_operator.kube.preflight import preflight
from duravip_operator.kube.status_queue import Priority, priority_of
from duravip_operator.kube.status_writer import StatusWriter
from duravip_operator.kube.writer import KubeWriter

__all__ = ["KubeWriter", "Priority", "StatusWriter", "preflight", "priority_of"]
