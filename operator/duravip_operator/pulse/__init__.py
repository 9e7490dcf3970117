"""The pulse: who is heard, and who is gone: in a process of its own.

It hears the agents' beats, and asks the neighbours of a silent node what they see of it. A thread
of a program that reads long lists hears a beat up to a second late; a process does not.
"""

from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.pulse.client import PulseClient, PulseFeed
from duravip_operator.pulse.ipc import PulseView
from duravip_operator.pulse.probe_targets import NodeTargets, targets_of

__all__ = ["HeartbeatState", "NodeTargets", "PulseClient", "PulseFeed", "PulseView", "targets_of"]
