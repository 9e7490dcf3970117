"""Parts of the operator, run in the test's own process against the lab."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from duravip_operator.settings import Settings, settings_from
from lab.cluster import Lab


def settings(lab: Lab, folder: Path, *options: str) -> Settings:
    """The settings of an operator that runs in the root namespace."""
    key = folder / "key"
    key.write_text("0123456789abcdef\n")
    given = [f"--kubeconfig={lab.kubeconfig}", f"--pulse-key-file={key}"]
    return settings_from([*given, "--pulse-listen=127.0.0.1:7946", *options])


async def until(condition: Callable[[], object], what: str, within: float = 10) -> float:
    """Look again and again until the condition holds; how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within, f"{what}: not within {within:g} s"
        await asyncio.sleep(0.005)
    return time.monotonic() - started


def restart_api_server(lab: Lab) -> None:
    """Kill it and start it anew: its watch cache forgets what it knew, watches end with 410."""
    lab.control_plane.api_server.kill()
    lab.control_plane.start_api_server()
    lab.control_plane.wait_until_ready()
