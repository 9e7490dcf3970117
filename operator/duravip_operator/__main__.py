"""`duravip-operator`: puts the parts together and runs them until it is asked to stop.

Exit codes: 0 asked to stop; 2 wrong settings or a missing permission; 1 anything else.
"""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from duravip_operator.core import lease_annotations
from duravip_operator.core.snapshot import Liveness
from duravip_operator.event_recorder import EventRecorder
from duravip_operator.health_checks import AGENTS_HEARD_WITHIN_S, AgentContact, health_checks
from duravip_operator.kube import KubeWriter, StatusWriter, preflight
from duravip_operator.leadership import Elector, OtherInstallations, Replicas
from duravip_operator.loop import Loop
from duravip_operator.metrics import Metrics
from duravip_operator.node_health import NodeHealthMonitor
from duravip_operator.page import LivePage, MoveTape, Sources
from duravip_operator.pass_requests import PassRequests
from duravip_operator.pulse import PulseClient
from duravip_operator.service_reconciler import ServiceReconciler
from duravip_operator.settings import Settings, settings_from
from duravip_operator.status_reporter import StatusReporter
from duravip_operator.watch.endpoint_slices import EndpointSlices
from duravip_operator.watch.informers import ApiHostsReader, Informers
from duravip_operator.watch.kopf_source import KopfSource
from duravip_operator.watch.load_balancers import LoadBalancers
from duravip_operator.watch.store import Store
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.program import begin_logging, run_program
from duravip_runtime.program_metrics import page_server
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError

log = logging.getLogger(__name__)


def main() -> None:
    """Run the program, and end with its exit code."""

    def work() -> int:
        settings = settings_from(sys.argv[1:])
        begin_logging(settings)
        asyncio.run(_run(settings))
        return 0

    run_program("duravip-operator", work)


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
    elector: Elector,
    store: Store,
    watching: Sequence[Informers | EndpointSlices | LoadBalancers],
    request_pass: Callable[[], None],
) -> None:
    """Begin anew, whoever finds that the store has gone back."""

    def begin_anew() -> None:
        elector.abandon()
        for one in watching:
            one.restart()
        request_pass()

    elector.on_restore, store.on_restore = store.reset_after_restore, begin_anew


def _agent_contact(settings: Settings, store: Store, pulse: PulseClient) -> AgentContact:
    """Ready is who could lead: agents know it, and it knows them."""

    def agents() -> list[str]:
        found = list(store.plumbings.values())
        return [plumbing.node for plumbing in found if plumbing.boot and not plumbing.stopped]

    def alive() -> list[str]:
        found = list(pulse.view().hearing.items())
        return [name for name, hearing in found if hearing is Liveness.ALIVE]

    return AgentContact(agents, alive, 2 * settings.mature + AGENTS_HEARD_WITHIN_S)


def _start_page(
    settings: Settings,
    *,
    store: Store,
    endpoints: EndpointSlices,
    pulse: PulseClient,
    elector: Elector,
    replicas: Replicas,
    writer: KubeWriter,
) -> LivePage:
    """The live page, if it is wanted."""
    tape = MoveTape()
    if settings.page_listen:
        store.on_move = tape.record
    sources = Sources(
        settings,
        store=store,
        endpoints=endpoints,
        pulse=pulse,
        elector=elector,
        replicas=replicas,
        writer=writer,
        tape=tape,
    )
    page = LivePage(settings.page_listen, sources)
    page.start()
    return page


def _lease_annotations(
    settings: Settings, node_health: NodeHealthMonitor
) -> Callable[[], Mapping[str, str]]:
    """What the leader's Lease tells of its settings and of the quarantine."""
    published = lease_annotations.format_settings(settings.published())

    def annotations() -> Mapping[str, str]:
        return {
            lease_annotations.SETTINGS_ANNOTATION: published,
            lease_annotations.QUARANTINE_ANNOTATION: node_health.quarantine_annotation,
        }

    return annotations


async def _work(settings: Settings, end: _End) -> None:
    """Wire the parts: each takes those before it."""
    requests = PassRequests()
    request_pass = requests.at_once
    metrics = Metrics(PROGRAM_VERSION, settings.address_info)
    writer = KubeWriter(settings, metrics)
    store = Store(
        request_pass, writer.read_plumbing, ignore_exclude_label=settings.ignore_exclude_label
    )
    store.on_edit = requests.soon
    pulse = PulseClient(settings, request_pass, metrics)
    elector = Elector(settings, request_pass, lambda: store.highest_epoch)

    def is_leading() -> bool:
        return elector.epoch is not None

    writer.leads_in = lambda epoch: epoch == elector.epoch
    replicas = Replicas(settings, request_pass, is_leading, pulse.public_key, end.give_up)
    statuses = StatusWriter(writer, metrics)
    events = EventRecorder(settings, metrics, end.stopping, statuses.is_idle)
    events.leads_in = writer.leads_in
    reporter = StatusReporter(statuses, events, metrics)
    node_health = NodeHealthMonitor(
        store,
        pulse,
        elector,
        events=events,
        metrics=metrics,
        give_up_after=settings.give_up_after,
        on_change=request_pass,
    )
    elector.annotations = _lease_annotations(settings, node_health)
    endpoints = EndpointSlices(settings, request_pass)
    balancers = LoadBalancers(settings)
    services = ServiceReconciler(
        settings,
        store,
        balancers,
        writer=writer,
        events=events,
        statuses=statuses,
        metrics=metrics,
    )
    loop = Loop(
        settings,
        requests,
        store=store,
        endpoints=endpoints,
        pulse=pulse,
        elector=elector,
        replicas=replicas,
        writer=writer,
        reporter=reporter,
        metrics=metrics,
        node_health=node_health,
        services=services,
    )

    informers = Informers(settings, store, end.stopping, metrics)
    _follow_restorations(elector, store, (informers, endpoints, balancers), request_pass)
    kopf = KopfSource(settings, store, metrics, balancers.pools.values)
    contact = _agent_contact(settings, store, pulse)
    problems = (kopf.problem, pulse.problem, contact.problem)
    checks = health_checks(
        asyncio.get_running_loop(),
        lambda: store.has_synced and endpoints.has_synced and balancers.has_synced,
        problems,
    )
    server = page_server(settings.http_listen, metrics.registry, checks)
    pulse.start(lambda: elector.leads_until)
    server.start()
    page = _start_page(
        settings,
        store=store,
        endpoints=endpoints,
        pulse=pulse,
        elector=elector,
        replicas=replicas,
        writer=writer,
    )
    api_hosts = ApiHostsReader(settings, store, end.stopping)
    for part in (informers, balancers, api_hosts, elector, replicas, statuses, events):
        part.start()
    watching = asyncio.create_task(kopf.run(end.stop), name="kopf")
    checking = asyncio.create_task(node_health.run(), name="node-health")
    serving = asyncio.create_task(services.run(), name="services")
    try:
        await loop.run(end.stop)
    finally:
        checking.cancel()
        serving.cancel()
        # The Lease goes back first: another replica can take over while we tidy up.
        await asyncio.gather(elector.stop(), replicas.stop())
        writer.close()
        statuses.stop()
        await asyncio.gather(
            pulse.stop(), watching, asyncio.to_thread(server.stop), asyncio.to_thread(page.stop)
        )


if __name__ == "__main__":
    main()
