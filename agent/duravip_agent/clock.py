"""The clock that permissions and deadlines are measured by."""

import time
from functools import partial

now = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""In seconds; it goes on while the machine sleeps, as the other nodes do."""
