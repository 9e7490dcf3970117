"""What /healthz and /readyz say. They are asked in threads of the HTTP server."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from duravip_operator.caches import Caches
from duravip_runtime.http_pages import Probe

PATIENCE: Final = 4.0
"""How long the loop may take to turn once; the kubelet waits for 5 s."""


def probes(
    loop: asyncio.AbstractEventLoop, caches: Caches, problems: Sequence[Probe]
) -> Mapping[str, Probe]:
    """By path: it lives while its loop turns.

    It is ready when it has seen everything, and no part of it has one of the `problems`.
    """

    def alive() -> str:
        turned = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
        try:
            turned.result(PATIENCE)
        except TimeoutError:
            turned.cancel()
            return f"the loop has not turned for {PATIENCE:g} s"
        return ""

    def ready() -> str:
        if not caches.is_warm:
            return "not every kind was listed yet"
        return "; ".join(filter(None, (problem() for problem in problems)))

    return {"/healthz": alive, "/readyz": ready}
