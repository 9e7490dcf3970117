"""The API server: what the operator reads from it once, and everything that it writes."""

from duravip_operator.kube.preflight import preflight
from duravip_operator.kube.status_queue import Priority, priority_of
from duravip_operator.kube.status_writer import StatusWriter
from duravip_operator.kube.writer import KubeWriter
from duravip_runtime.api_error import ApiError

__all__ = ["ApiError", "KubeWriter", "Priority", "StatusWriter", "preflight", "priority_of"]
