"""The pulse: hears the agents' beats, in a process of its own, and says who is there.

A thread of a program that reads long lists hears a beat up to a second late; a process does not.
"""

from duravip_operator.pulse.messages import Heard
from duravip_operator.pulse.pulse import Pulse

__all__ = ["Heard", "Pulse"]
