"""The caches against a real API server that restarts, hangs, and deletes behind our back."""

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Event

from api.objects import apply, duravip
from api.shell import restart_api_server, settings, until
from duravip_api.timing import SWEEP
from duravip_operator.kube import KubeWriter
from duravip_operator.metrics import Metrics
from duravip_operator.watch import kopf_source as handlers
from duravip_operator.watch.informers import Informers
from duravip_operator.watch.store import Store
from lab.cluster import Lab

LAB = "bare"

PLUMBING = """
apiVersion: duravip.io/v1alpha1
kind: NodePlumbing
metadata: {name: %s}
spec: {epoch: %d}
"""


def watched(lab: Lab, folder: Path, play: Callable[[Store], Awaitable[None]]) -> None:
    """Run everything that feeds the caches while `play` goes on."""
    given = settings(lab, folder)

    async def run() -> None:
        metrics = Metrics("test")
        cluster = KubeWriter(given, metrics)
        caches = Store(lambda: None, cluster.read_plumbing)
        stop, stopping = asyncio.Event(), Event()
        informers = Informers(given, caches, stopping, metrics)
        informers.start()
        kopf = asyncio.create_task(handlers.KopfSource(given, caches, metrics).run(stop))
        try:
            await until(lambda: caches.has_synced, "the caches are warm")
            await play(caches)
        finally:
            stopping.set()
            stop.set()
            cluster.close()
            await asyncio.wait_for(kopf, 2)
            await asyncio.to_thread(informers.stop)

    asyncio.run(run())
    with warnings.catch_warnings():
        # kopf leaves sockets to the collector, and it may come by in another test.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def addresses(caches: Store) -> set[str]:
    return {vip.address for vip in caches.vips.values()}


def test_what_people_write_is_seen_soon(lab: Lab, tmp_path: Path) -> None:
    async def play(caches: Store) -> None:
        apply(lab, [duravip("seen", "10.1.1.5")])
        await until(lambda: "10.1.1.5" in addresses(caches), "it is there")
        apply(lab, [duravip("seen", "10.1.1.6")])
        await until(lambda: "10.1.1.6" in addresses(caches), "it has changed")
        lab.kubectl("delete", "duravip", "seen")
        await until(lambda: not addresses(caches), "it is gone")

    watched(lab, tmp_path, play)


def test_a_hung_api_server_is_noticed_and_nothing_is_lost(lab: Lab, tmp_path: Path) -> None:
    async def play(caches: Store) -> None:
        lab.kubectl("create", "-f", "-", input=PLUMBING % ("hung", 1))
        await until(lambda: "hung" in caches.plumbings, "it is there")
        lab.control_plane.api_server.stop()
        await asyncio.sleep(8)
        lab.control_plane.api_server.resume()
        assert caches.plumbings["hung"].epoch == 1
        await asyncio.to_thread(lab.control_plane.wait_until_ready)
        lab.kubectl("replace", "-f", "-", input=PLUMBING % ("hung", 2))
        await until(lambda: caches.plumbings["hung"].epoch == 2, "its change is seen")
        lab.kubectl("delete", "nodeplumbing", "hung")
        await until(lambda: "hung" not in caches.plumbings, "it is gone")

    watched(lab, tmp_path, play)


def test_what_is_deleted_around_a_restart_is_gone_after_a_sweep(lab: Lab, tmp_path: Path) -> None:
    async def play(caches: Store) -> None:
        apply(lab, [duravip("kept", "10.1.1.7"), duravip("dropped", "10.1.1.8")])
        lab.kubectl("create", "-f", "-", input=PLUMBING % ("dropped", 1))
        both = {"10.1.1.7", "10.1.1.8"}
        await until(lambda: addresses(caches) == both, "both are there")
        await until(lambda: "dropped" in caches.plumbings, "and what machines write")
        await asyncio.to_thread(restart_api_server, lab)
        lab.kubectl("delete", "duravip/dropped", "nodeplumbing/dropped")
        await until(
            lambda: addresses(caches) == {"10.1.1.7"} and "dropped" not in caches.plumbings,
            "what was deleted is gone",
            within=SWEEP + 10,
        )
        lab.kubectl("delete", "duravip", "kept")
        await until(lambda: not addresses(caches), "and events are seen as before")

    watched(lab, tmp_path, play)
