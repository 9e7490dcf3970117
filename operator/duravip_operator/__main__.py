"""`duravip-operator`: puts the parts together and runs them until it is asked to stop.

Exit codes: 0 asked to stop; 2 wrong settings or a missing permission; 1 anything else.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from duravip_operator.core import lease_annotations
from duravip_operator.core.snapshot import Liveness
from duravip_operator.event_recorder import Events
from duravip_operator.kube import KubeWriter, StatusWriter, preflight
from duravip_operator.leadership import Elector, OtherInstallations, Replicas
from duravip_operator.loop import Loop, Parts
from duravip_operator.metrics import Metrics
from duravip_operator.node_health import Sources, Vigil
from duravip_operator.pulse import PulseClient
from duravip_operator.readiness import ACQUAINTED_WITHIN_S, Acquaintance, page_server, probes
from duravip_operator.settings import Settings, settings_from
from duravip_operator.status_reporter import Reporting
from duravip_operator.watch import kopf_source as handlers
from duravip_operator.watch.api_hosts import ApiHostsReader
from duravip_operator.watch.informers import Informers
from duravip_operator.watch.store import Store
from duravip_runtime import log_format
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError, unknown_variables

log = logging.getLogger(__name__)


def main() -> None:
    """Run the program, and end with its exit code."""
    try:
        settings = settings_from(sys.argv[1:])
        log_format.set_up(settings.log_format, settings.log_level)
        if strange := unknown_variables(os.environ, Settings.model_fields):
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
    end = _End()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.ask)
    await asyncio.to_thread(preflight, settings, end.stopping)
    rivals = OtherInstallations(settings.kubeconfig, settings.namespace)
    if rival := await asyncio.to_thread(rivals.check_at_start, end.stopping):
        raise SettingsError(rival)
    if end.stop.is_set():
        return
    log.info("%s starts as %s", PROGRAM_VERSION, settings.identity)
    await _work(settings, end)
    if end.why:
        raise SettingsError(end.why)
    log.info("ended")


class _End:
    """How the program ends: it is asked to, or finds that it must."""

    def __init__(self) -> None:
        self.stop, self.stopping = asyncio.Event(), threading.Event()
        self.why = ""
        """A sentence, where a person has to mend something."""
        loop = asyncio.get_running_loop()

        def refused(sentence: str) -> None:
            loop.call_soon_threadsafe(self.give_up, sentence)

        REFUSALS.on_lasting = refused

    def ask(self) -> None:
        """It is asked to."""
        self.stop.set()
        self.stopping.set()

    def give_up(self, sentence: str) -> None:
        """It must."""
        self.why = self.why or sentence
        self.ask()


def _follow_restorations(
    elector: Elector, caches: Store, informers: Informers, wake: Callable[[], None]
) -> None:
    """Begin anew, whoever finds that the store has gone back."""

    def begin_anew() -> None:
        elector.abandon()
        informers.restart()
        wake()

    elector.on_restore, caches.on_restore = caches.reset_after_restore, begin_anew


def _acquaintance(settings: Settings, caches: Store, pulse: PulseClient) -> Acquaintance:
    """Ready is who could lead: agents know it, and it knows them."""

    def agents() -> list[str]:
        found = list(caches.plumbings.values())
        return [plumbing.node for plumbing in found if plumbing.boot and not plumbing.stopped]

    def alive() -> list[str]:
        found = list(pulse.view().hearing.items())
        return [name for name, hearing in found if hearing is Liveness.ALIVE]

    return Acquaintance(agents, alive, 2 * settings.mature + ACQUAINTED_WITHIN_S)


async def _work(settings: Settings, end: _End) -> None:
    metrics = Metrics(PROGRAM_VERSION)
    cluster = KubeWriter(settings, metrics)
    woken: list[Loop] = []

    def wake() -> None:
        for loop in woken:
            loop.wake()

    caches = Store(wake, cluster.read_plumbing, ignore_exclude_label=settings.ignore_exclude_label)

    def hear(node: str) -> None:
        loop.hear(node)

    pulse = PulseClient(settings, wake, hear, metrics)
    told = lease_annotations.format_settings(settings.published())

    def annotations() -> dict[str, str]:
        return {
            lease_annotations.SETTINGS_ANNOTATION: told,
            lease_annotations.QUARANTINE_ANNOTATION: vigil.quarantine,
        }

    elector = Elector(settings, wake, lambda: caches.highest_epoch, annotations)

    def is_leading() -> bool:
        return elector.epoch is not None

    cluster.leads_in = lambda epoch: epoch == elector.epoch
    members = Replicas(settings, wake, is_leading, pulse.public_key, end.give_up)
    statuses = StatusWriter(cluster, metrics)
    events = Events(settings, metrics, end.stopping, statuses.is_idle)
    events.is_reign = cluster.leads_in
    reporting = Reporting(statuses, events, metrics)
    vigil = Vigil(Sources(caches, pulse, elector, events, metrics), settings.give_up_after, wake)
    loop = Loop(
        Parts(settings, caches, pulse, elector, members, cluster, reporting, metrics, vigil)
    )
    woken.append(loop)

    informers = Informers(settings, caches, end.stopping, metrics)
    _follow_restorations(elector, caches, informers, wake)
    kopf = handlers.KopfSource(settings, caches, metrics)
    acquaintance = _acquaintance(settings, caches, pulse)
    problems = (kopf.problem, pulse.problem, acquaintance.problem)
    served = probes(asyncio.get_running_loop(), lambda: caches.has_synced, problems)
    server = page_server(settings.http_listen, metrics.registry, served)
    pulse.start(lambda: elector.leads_until)
    server.start()
    api_hosts = ApiHostsReader(settings, caches, end.stopping)
    for part in (informers, api_hosts, elector, members, statuses, events):
        part.start()
    watching = asyncio.create_task(kopf.run(end.stop), name="kopf")
    keeping = asyncio.create_task(vigil.run(), name="vigil")
    try:
        await loop.run(end.stop)
    finally:
        keeping.cancel()
        # The Lease goes back first: another replica can take over while we tidy up.
        await asyncio.gather(elector.stop(), members.stop())
        cluster.close()
        statuses.stop()
        await asyncio.gather(pulse.stop(), watching, asyncio.to_thread(server.stop))


if __name__ == "__main__":
    main()
