"""The pulse: heartbeats, the failure detector, and remote probes, in a process of its own.

It takes the agents' heartbeats, and has the neighbours of a suspected node probe it. A thread of a
program that reads long lists takes a heartbeat up to a second late; a process does not.
"""

from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.pulse.client import PulseClient, PulseFeed
from duravip_operator.pulse.ipc import PulseView
from duravip_operator.pulse.probe_targets import NodeTargets, targets_of

__all__ = ["HeartbeatState", "NodeTargets", "PulseClient", "PulseFeed", "PulseView", "targets_of"]
