"""`duravip-agent`: reads the settings, checks what it may do, and runs the loop.

Exit codes: 0 asked to stop; 2 wrong settings, a missing permission, or another agent runs here;
1 anything else.
"""

import contextlib
import logging
import os
import platform
import signal
import socket
import sys

from duravip_agent import metrics
from duravip_agent.command_runner import Errands
from duravip_agent.control.duplicate_node_guard import NamesakeError, Namesakes
from duravip_agent.control.heartbeat import Heart, Hooks
from duravip_agent.control.kube import Cluster
from duravip_agent.control.replicas import Replicas
from duravip_agent.control.spec_reader import Reader
from duravip_agent.control.status_writer import Reporter
from duravip_agent.core.interfaces import cards
from duravip_agent.core.kernel_state import addresses_of
from duravip_agent.core.node_health import Health
from duravip_agent.core.spec_tracker import Specs
from duravip_agent.core.watchdog_rule import Limits
from duravip_agent.events import (
    ContactChanged,
    Denied,
    Inbox,
    KernelChanged,
    Stop,
    Troubled,
    Written,
)
from duravip_agent.facts import Judge, Sources
from duravip_agent.kernel import instance_lock, netlink
from duravip_agent.kernel.address_manager import Plumber
from duravip_agent.kernel.connections import Connections
from duravip_agent.kernel.fence import Fence, FenceError
from duravip_agent.kernel.fence_keeper import Upkeep
from duravip_agent.kernel.null_fence import Unfenced
from duravip_agent.kernel.released_addresses import Released
from duravip_agent.kernel.watchdog import DeadMan, Lifeline
from duravip_agent.loop import Loop, Parts
from duravip_agent.reconciler import Handover
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.conflict_checks import Inquiry
from duravip_agent.segment.probe_requests import Looks
from duravip_agent.segment.probe_worker import Scout
from duravip_agent.segment.raw_socket import Wire, may_send
from duravip_agent.settings import Settings, settings_from
from duravip_agent.shutdown import Farewell
from duravip_agent.spec_intake import DeniedError, Intake
from duravip_agent.status_publisher import Channels, Identity, Voice
from duravip_agent.tools import Tools
from duravip_api.timing import CONTACT, STRICT_HOLD
from duravip_runtime import log_format
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.endpoints import parse_endpoint
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import KeyPair
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError, unknown_variables

log = logging.getLogger(__name__)

AHEAD = -10
"""On a busy node the loop must come round in time all the same, or its addresses are muted."""

SWITCH_AFTER = 0.0005
"""A thread that computes lets another one wait for so long, in seconds. Python's own 5 ms would
hold up the beat that others wait for as long as everything else that a hand-over takes."""

OLDEST_KERNEL = (5, 18)
"""The first one that keeps the protocol of an address, which is our mark."""


def main() -> None:
    """Run the program, and end with its exit code."""
    try:
        settings = settings_from(sys.argv[1:])
        log_format.set_up(settings.log_format, settings.log_level)
        if strange := unknown_variables(os.environ, Settings.model_fields):
            log.warning(strange)
        code = run(settings)
    except (SettingsError, DeniedError, NamesakeError, FenceError) as error:
        sys.stderr.write(f"duravip-agent: {error}\n")
        code = 2
    except Exception:
        log.exception("the agent ends")
        code = 1
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # whatever some thread still waits for


def run(settings: Settings) -> int:
    """Run until asked to stop."""
    sys.setswitchinterval(SWITCH_AFTER)
    with contextlib.suppress(OSError):  # without CAP_SYS_NICE: like everybody else
        os.nice(AHEAD)
    with _only_one():
        kernel = _kernel()
        counted = metrics.Metrics(PROGRAM_VERSION)
        cluster = Cluster(settings.node_name, counted, settings.kubeconfig)
        _work(settings, kernel, cluster, counted)
    return 0


def _work(
    settings: Settings,
    kernel: netlink.Kernel,
    cluster: Cluster,
    counted: metrics.Metrics,
) -> None:
    keys = KeyPair.generate()
    identity = Identity(PROGRAM_VERSION, keys.public_key)
    file = KeyFile(settings.pulse_key_file) if settings.pulse_key_file else None
    replicas = Replicas(settings.node_name, keys, file)
    inbox, specs, scout, health = Inbox(), Specs(), Scout(), Health()
    fence, dead_man = _fence(settings, kernel)
    connections = Connections(counted, lambda: fence.held)
    released = Released(connections)
    released.build()
    limits = Limits(settings.dead_man_after, CONTACT, STRICT_HOLD)
    lifeline = Lifeline(dead_man, limits, counted, lambda: inbox.put(ContactChanged()))
    looks = Looks(scout, identity.boot, counted)
    heart = Heart((settings.node_name, identity.boot), replicas, lifeline, looks, counted)
    reader = Reader(cluster, inbox)
    namesakes = Namesakes(cluster)
    reporter = Reporter(
        namesakes,
        lambda body, asked: inbox.put(Written(body, asked)),
        lambda error: inbox.put(Troubled(error)),
    )
    tools = Tools(
        specs=specs,
        fence=fence,
        lifeline=lifeline,
        judge=Judge(Sources(specs, lifeline, lambda: heart.contact, health)),
        plumber=Plumber(kernel, counted, released.add),
        announcer=Announcer(kernel, Wire(), settings.announce_every, counted),
        inquiry=Inquiry(inbox, scout, reader.read_soon, reader.begin_anew),
        metrics=counted,
        released=released,
        health=health,
    )
    handover = Handover(tools)
    voice = Voice(identity, Channels(reporter, heart, counted, namesakes.said), tools, handover)
    upkeep = Upkeep(tools)
    errands = Errands(
        tools, handover, kernel.hosts, lambda: inbox.put(KernelChanged(with_links=True))
    )
    intake = Intake(tools, reporter, voice, errands)
    farewell = Farewell(tools, handover, intake, voice, reporter)
    loop = Loop(
        Parts(inbox, tools, intake, handover, upkeep, reporter, voice, farewell, namesakes)
    )
    tools.inquiry.count(counted)
    counted.refused_refreshes.set_function(lambda: dead_man.refused)
    counted.denied.set_function(lambda: bool(REFUSALS.lasting()))
    _serve(settings, counted, loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.put(Stop()))
    log.info("%s starts on node %s as %s", PROGRAM_VERSION, settings.node_name, identity.boot)
    REFUSALS.on_lasting = lambda sentence: inbox.put(Denied(sentence))
    netlink.watch(lambda with_links: inbox.put(KernelChanged(with_links)))
    tools.listeners.start(lambda: inbox.put(KernelChanged(with_links=False)))
    connections.start()
    if settings.clean_slate == "all":
        tools.plumber.withdraw()
    tools.inquiry.start()
    heart.start(Hooks(reader.read_soon, lambda: inbox.put(ContactChanged())))
    reader.start()
    loop.run()
    log.info("ended: everything is withdrawn")


def _fence(
    settings: Settings, kernel: netlink.Kernel
) -> tuple[Fence, DeadMan] | tuple[Unfenced, Unfenced]:
    """The fence, in place of an earlier agent's: from here on everything is mute."""
    observed = kernel.observed(with_links=True)
    guarded = [link.name for link in cards(observed)]
    leftovers = addresses_of(observed.marked)
    try:
        fence, dead_man = Fence(), DeadMan()
        fence.build(guarded, settings.dead_man_after, leftovers)
        kernel.delete_all_routes()
    except FenceError as error:
        if not settings.allow_unfenced:
            raise
        log.warning("%s", error)
        unfenced = Unfenced()
        unfenced.build(guarded, settings.dead_man_after, leftovers)
        kernel.delete_all_routes()
        return unfenced, unfenced
    return fence, dead_man


def _only_one() -> socket.socket:
    """Hold the lock for as long as the socket lives."""
    try:
        return instance_lock.lock()
    except instance_lock.HeldError as error:
        raise SettingsError("another duravip-agent runs in this network namespace") from error


def _kernel() -> netlink.Kernel:
    """The kernel, if it is new enough and lets us in."""
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < OLDEST_KERNEL:
        raise SettingsError(
            f"kernel {platform.release()} is too old: 5.18 is the first that will do"
        )
    kernel = netlink.Kernel()
    if not kernel.may_change():
        raise SettingsError("no permission to change addresses: CAP_NET_ADMIN is missing")
    if not may_send():
        raise SettingsError("no permission to open raw sockets: CAP_NET_RAW is missing")
    return kernel


def _serve(settings: Settings, counted: metrics.Metrics, loop: Loop) -> None:
    try:
        metrics.serve(parse_endpoint(settings.http_listen), counted, loop.healthz, loop.readyz)
    except OSError as error:
        raise SettingsError(
            f"--http-listen: cannot listen on {settings.http_listen}: {error}"
        ) from error


if __name__ == "__main__":
    main()
