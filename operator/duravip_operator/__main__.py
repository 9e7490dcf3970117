"""`duravip-operator`: puts the parts together and runs them until it is asked to stop.

Exit codes: 0 asked to stop; 2 wrong settings or a missing permission; 1 anything else.
"""

import asyncio
import logging
import os
import signal
import sys
import threading

from duravip_api.environment import ignored
from duravip_operator import handlers, logs
from duravip_operator.api_hosts import ApiHosts
from duravip_operator.caches import Caches
from duravip_operator.cluster import Cluster, StatusWriter, preflight
from duravip_operator.core import publication
from duravip_operator.events import Events
from duravip_operator.http import page_server
from duravip_operator.informers import Informers
from duravip_operator.leadership import Elector, Members
from duravip_operator.loop import Loop, Parts
from duravip_operator.metrics import Metrics
from duravip_operator.probes import probes
from duravip_operator.pulse import Pulse
from duravip_operator.reporting import Reporting
from duravip_operator.settings import PROGRAM_VERSION, Settings, SettingsError, parsed
from duravip_operator.vigil import Sources, Vigil

log = logging.getLogger(__name__)


def main() -> None:
    """Run the program, and end with its exit code."""
    try:
        settings = parsed(sys.argv[1:])
        logs.set_up(settings.log_format, settings.log_level)
        if strange := ignored(os.environ, Settings.model_fields):
            log.warning(strange)
        asyncio.run(_run(settings))
        code = 0
    except SettingsError as error:
        sys.stderr.write(f"duravip-operator: {error}\n")
        code = 2
    except Exception:
        log.exception("the operator ends")
        code = 1
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # whatever some thread still waits for


async def _run(settings: Settings) -> None:
    stop, stopping = asyncio.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _ask_to_stop, stop, stopping)
    await asyncio.to_thread(preflight, settings, stopping)
    if stop.is_set():
        return
    log.info("%s starts as %s", PROGRAM_VERSION, settings.identity)
    await _work(settings, stop, stopping)
    log.info("ended")


def _ask_to_stop(stop: asyncio.Event, stopping: threading.Event) -> None:
    stop.set()
    stopping.set()


async def _work(settings: Settings, stop: asyncio.Event, stopping: threading.Event) -> None:
    metrics = Metrics(PROGRAM_VERSION)
    cluster = Cluster(settings, metrics)
    woken: list[Loop] = []

    def wake() -> None:
        for loop in woken:
            loop.wake()

    caches = Caches(
        wake, cluster.read_plumbing, ignore_exclude_label=settings.ignore_exclude_label
    )

    def hear(node: str) -> None:
        loop.hear(node)

    def fear() -> None:
        loop.fear()

    pulse = Pulse(settings, wake, hear, fear, metrics)
    told = publication.settings(settings.published())

    def annotations() -> dict[str, str]:
        return {publication.SETTINGS: told, publication.QUARANTINE: vigil.quarantine}

    elector = Elector(settings, wake, lambda: caches.highest_epoch, annotations)

    def is_leading() -> bool:
        return elector.epoch is not None

    cluster.is_reign = lambda epoch: epoch == elector.epoch
    members = Members(settings, wake, is_leading, pulse.public_key)
    statuses = StatusWriter(cluster, metrics)
    events = Events(settings, metrics, stopping, statuses.is_at_rest)
    events.is_reign = cluster.is_reign
    reporting = Reporting(statuses, events, metrics)
    vigil = Vigil(Sources(caches, pulse, elector, events, metrics), settings.give_up_after, wake)
    loop = Loop(
        Parts(settings, caches, pulse, elector, members, cluster, reporting, metrics, vigil)
    )
    woken.append(loop)

    informers = Informers(settings, caches, stopping, is_leading, metrics)

    def begin_anew() -> None:
        elector.abandon()
        informers.begin_anew()
        wake()

    elector.on_restoration, caches.on_restoration = caches.begin_anew, begin_anew
    kopf = handlers.Kopf(settings, caches, metrics)
    problems = (kopf.problem, pulse.problem)
    served = probes(asyncio.get_running_loop(), caches, problems)
    server = page_server(settings.http_listen, metrics.registry, served)
    pulse.start(lambda: elector.until)
    server.start()
    api_hosts = ApiHosts(settings, caches, stopping)
    for part in (informers, api_hosts, elector, members, statuses, events):
        part.start()
    watching = asyncio.create_task(kopf.run(stop), name="kopf")
    keeping = asyncio.create_task(vigil.run(), name="vigil")
    try:
        await loop.run(stop)
    finally:
        keeping.cancel()
        # The Lease goes back first: another replica can take over while we tidy up.
        await asyncio.gather(elector.stop(), members.stop())
        cluster.close()
        statuses.stop()
        await asyncio.gather(pulse.stop(), watching, asyncio.to_thread(server.stop))


if __name__ == "__main__":
    main()
