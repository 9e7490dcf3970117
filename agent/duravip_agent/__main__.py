"""`duravip-agent`: reads the settings, checks what it may do, and runs the loop.

Exit codes: 0 asked to stop; 2 wrong settings, a missing permission, or another agent runs here;
1 anything else.
"""

import contextlib
import logging
import os
import platform
import signal
import sys
from functools import partial

from duravip_agent import events
from duravip_agent.checks.client import Checks
from duravip_agent.command_runner import CommandRunner
from duravip_agent.control.duplicate_node_guard import DuplicateNodeError, DuplicateNodeGuard
from duravip_agent.control.heartbeat import HeartbeatSender
from duravip_agent.control.kube import NodePlumbingClient, SpecReader
from duravip_agent.control.replicas import Replicas
from duravip_agent.control.status_writer import StatusWriter
from duravip_agent.core.interfaces import relevant_interfaces
from duravip_agent.core.kernel_state import addresses_of
from duravip_agent.core.node_commands import NodeCommands
from duravip_agent.core.node_health import NodeHealth
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.watchdog_rule import Timeouts
from duravip_agent.facts import FactCollector
from duravip_agent.kernel import instance_lock, netlink
from duravip_agent.kernel.address_manager import AddressManager
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.fence_keeper import FenceKeeper
from duravip_agent.kernel.listening_ports import ListeningPorts
from duravip_agent.kernel.nftables import FenceError
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.kernel.released_addresses import ConnectionEnder, ReleasedAddresses
from duravip_agent.kernel.watchdog import Watchdog, WatchdogSocket
from duravip_agent.local_api import Identity, open_local_api
from duravip_agent.loop import Loop
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Reconciler
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.conflict_checks import ConflictChecker
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_agent.segment.prober import ProbeWorker
from duravip_agent.segment.raw_socket import FrameSender, may_send
from duravip_agent.settings import Settings, settings_from
from duravip_agent.shutdown import Shutdown
from duravip_agent.spec_intake import PermissionDeniedError, SpecIntake
from duravip_agent.status_publisher import AgentIdentity, StatusPublisher
from duravip_api.timing import CONTACT, STRICT_HOLD
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.key_file import KeyFile
from duravip_runtime.program import begin_logging, run_program
from duravip_runtime.program_metrics import page_server
from duravip_runtime.secure_channel import KeyPair
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError

log = logging.getLogger(__name__)

NICENESS = -10
"""On a busy node, too, the loop must make progress in time, or its addresses are muted."""

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes lets another one wait. Python's own 5 ms would
hold up the heartbeat that others wait for as long as everything else that a hand-over takes."""

OLDEST_KERNEL = (5, 18)
"""The first one that keeps the protocol of an address, which is our mark."""


def main() -> None:
    """Run the program, and end with its exit code."""

    def work() -> int:
        settings = settings_from(sys.argv[1:])
        begin_logging(settings)
        return run(settings)

    run_program("duravip-agent", work, (PermissionDeniedError, DuplicateNodeError, FenceError))


def run(settings: Settings) -> int:
    """Run until asked to stop."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(OSError):  # without CAP_SYS_NICE: like everybody else
        os.nice(NICENESS)
    with instance_lock.lock():
        kernel = _kernel()
        counted = Metrics(PROGRAM_VERSION)
        client = NodePlumbingClient(settings.node_name, counted, settings.kubeconfig)
        _work(settings, kernel, client, counted)
    return 0


def _work(
    settings: Settings,
    kernel: netlink.Netlink,
    client: NodePlumbingClient,
    counted: Metrics,
) -> None:
    keys = KeyPair.generate()
    identity = AgentIdentity(PROGRAM_VERSION, keys.public_key)
    file = KeyFile(settings.pulse_key_file) if settings.pulse_key_file else None
    local_api = open_local_api(
        settings.local_listen,
        settings.local_group,
        lambda: Identity(settings.node_name, identity.boot, publisher.is_acknowledged()),
    )
    inbox, specs, worker, health = events.Inbox(), SpecTracker(), ProbeWorker(), NodeHealth()
    commands, listening_ports = NodeCommands(), ListeningPorts()
    checks = Checks(counted)
    fence, watchdog_socket = _fence(settings, kernel)
    released = ReleasedAddresses(ConnectionEnder(counted, lambda: fence.active))
    released.build()
    timeouts = Timeouts(settings.dead_man_after, CONTACT, STRICT_HOLD)
    contact_changed = partial(inbox.put, events.ContactChanged())
    watchdog = Watchdog(watchdog_socket, timeouts, counted, contact_changed)
    reader = SpecReader(client, inbox)
    heartbeat = HeartbeatSender(
        settings.node_name,
        identity.boot,
        replicas=Replicas(settings.node_name, keys, file),
        watchdog=watchdog,
        probe_requests=ProbeRequests(worker, identity.boot, counted),
        metrics=counted,
        on_newer=reader.read_soon,
        on_contact=contact_changed,
    )
    facts = FactCollector(specs, watchdog, lambda: heartbeat.contact, health)
    duplicates = DuplicateNodeGuard(client)
    writer = StatusWriter(
        duplicates.patch_status,
        lambda body, begun_at: inbox.put(events.StatusWritten(body, begun_at)),
        lambda error: inbox.put(events.ApiTrouble(error)),
    )
    addresses = AddressManager(kernel, counted, released.add)
    announcer = Announcer(kernel, FrameSender(), settings.announce_every, counted)
    conflict_checks = ConflictChecker(inbox, worker)
    reconciler = Reconciler(
        specs=specs,
        fence=fence,
        watchdog=watchdog,
        facts=facts,
        addresses=addresses,
        announcer=announcer,
        conflict_checks=conflict_checks,
        released=released,
        health=health,
        metrics=counted,
        read_spec_soon=reader.read_soon,
    )
    publisher = StatusPublisher(
        identity,
        writer=writer,
        heartbeat=heartbeat,
        metrics=counted,
        reconciler=reconciler,
        specs=specs,
        facts=facts,
        addresses=addresses,
        health=health,
        commands=commands,
        listening_ports=listening_ports,
        checks=checks,
        local_api=local_api,
        duplicate_message=duplicates.message,
    )
    runner = CommandRunner(
        commands,
        reconciler=reconciler,
        facts=facts,
        addresses=addresses,
        announcer=announcer,
        watchdog=watchdog,
        neighbours=kernel.neighbours,
        read_spec_soon=reader.read_soon,
        resync=partial(inbox.put, events.KernelChanged(with_links=True)),
    )
    intake = SpecIntake(
        specs,
        facts,
        fence,
        commands,
        writer=writer,
        publisher=publisher,
        command_runner=runner,
        watch_again=reader.watch_again,
    )
    loop = Loop(
        inbox=inbox,
        intake=intake,
        reconciler=reconciler,
        fence_keeper=FenceKeeper(fence, released, watchdog, health, counted),
        publisher=publisher,
        shutdown=Shutdown(reconciler, addresses, released, intake, publisher, writer),
        duplicates=duplicates,
        facts=facts,
        addresses=addresses,
        announcer=announcer,
        conflict_checks=conflict_checks,
        watchdog=watchdog,
        health=health,
        metrics=counted,
        local_api=local_api,
    )
    conflict_checks.count(counted)
    counted.refused_refreshes.set_function(lambda: watchdog_socket.refused)
    counted.denied.set_function(lambda: bool(REFUSALS.lasting()))
    probes = {"/healthz": loop.healthz, "/readyz": loop.readyz}
    page_server(settings.http_listen, counted.registry, probes).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.put(events.StopRequested()))
    log.info("%s starts on node %s as %s", PROGRAM_VERSION, settings.node_name, identity.boot)
    REFUSALS.on_lasting = lambda sentence: inbox.put(events.AccessDenied(sentence))
    netlink.watch(lambda with_links: inbox.put(events.KernelChanged(with_links)))
    listening_ports.start(lambda: inbox.put(events.ReadinessChanged(listening_ports.is_urgent)))
    checks.start(lambda: inbox.put(events.ReadinessChanged()))
    released.start()
    if settings.clean_slate == "all":
        addresses.remove_all()
    conflict_checks.start()
    heartbeat.start()
    reader.start()
    local_api.start()
    try:
        loop.run()
    finally:
        local_api.close()
    log.info("ended: everything is withdrawn")


def _fence(
    settings: Settings, kernel: netlink.Netlink
) -> tuple[Fence, WatchdogSocket] | tuple[NullFence, NullFence]:
    """The fence, in place of an earlier agent's: from here on everything is mute."""
    observed = kernel.read_state(with_links=True)
    guarded = [link.name for link in relevant_interfaces(observed)]
    leftovers = addresses_of(observed.marked)
    try:
        fence, feed = Fence(), WatchdogSocket()
        fence.build(guarded, settings.dead_man_after, leftovers)
        kernel.delete_all_routes()
    except FenceError as error:
        if not settings.allow_unfenced:
            raise
        log.warning("%s", error)
        unfenced = NullFence()
        unfenced.build(guarded, settings.dead_man_after, leftovers)
        kernel.delete_all_routes()
        return unfenced, unfenced
    return fence, feed


def _kernel() -> netlink.Netlink:
    """The kernel, if it is new enough and lets us in."""
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < OLDEST_KERNEL:
        raise SettingsError(
            f"kernel {platform.release()} is too old: 5.18 is the first that will do"
        )
    kernel = netlink.Netlink()
    if not kernel.can_change_addresses():
        raise SettingsError("no permission to change addresses: CAP_NET_ADMIN is missing")
    if not may_send():
        raise SettingsError("no permission to open raw sockets: CAP_NET_RAW is missing")
    return kernel


if __name__ == "__main__":
    main()
