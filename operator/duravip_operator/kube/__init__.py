"""Writes to the API server: NodePlumbing specs, statuses, what Services need; and the queues."""

from duravip_operator.kube.preflight import preflight
from duravip_operator.kube.service_writer import ServiceWriter
from duravip_operator.kube.status_writer import Priority, StatusWriter, priority_of
from duravip_operator.kube.writer import KubeWriter

__all__ = ["KubeWriter", "Priority", "ServiceWriter", "StatusWriter", "preflight", "priority_of"]
