"""`duravip-agent`: reads the settings, checks what it may do, and runs the loop.

Exit codes: 0 asked to stop; 2 wrong settings, a missing permission, or another agent runs here;
1 anything else.
"""

import logging
import os
import platform
import signal
import socket
import sys
import uuid

from duravip_agent import logs, metrics, netlink, wire
from duravip_agent.announcer import Announcer
from duravip_agent.beat import Heart
from duravip_agent.cluster import Cluster, configuration_from
from duravip_agent.core.endpoints import endpoint
from duravip_agent.core.specs import Specs
from duravip_agent.events import Inbox, KernelChanged, Stop, Troubled, Written
from duravip_agent.keys import KeyFile
from duravip_agent.loop import DeniedError, Loop, Parts
from duravip_agent.plumber import Plumber
from duravip_agent.reader import Reader
from duravip_agent.reporter import Reporter
from duravip_agent.settings import PROGRAM_VERSION, Settings, SettingsError, settings_from
from duravip_agent.voice import Channels, Identity, Voice

log = logging.getLogger(__name__)

OLDEST_KERNEL = (5, 18)
"""The first one that keeps the protocol of an address, which is our mark."""

LOCK = "\0duravip-agent"
"""An abstract Unix socket: one for each network namespace, and gone with the process."""


def main() -> None:
    """Run the program, and end with its exit code."""
    try:
        settings = settings_from(sys.argv[1:])
        logs.set_up(settings.log_format, settings.log_level)
        code = run(settings)
    except (SettingsError, DeniedError) as error:
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
    try:
        keys = KeyFile(settings.pulse_key_file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--pulse-key-file: cannot use {settings.pulse_key_file}: {error}"
        ) from error
    try:
        configuration = configuration_from(settings.kubeconfig)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    with _only_one():
        kernel = _kernel()
        counted = metrics.Metrics(PROGRAM_VERSION)
        cluster = Cluster(settings.node_name, configuration, counted)
        _work(settings, keys, kernel, cluster, counted)
    return 0


def _work(
    settings: Settings,
    keys: KeyFile,
    kernel: netlink.Kernel,
    cluster: Cluster,
    counted: metrics.Metrics,
) -> None:
    identity = Identity(PROGRAM_VERSION, uuid.uuid4().hex)
    inbox = Inbox()
    reader = Reader(cluster, inbox)
    heart = Heart((settings.node_name, identity.boot), keys, counted, reader.read_soon)
    reporter = Reporter(
        cluster,
        lambda body: inbox.put(Written(body)),
        lambda error: inbox.put(Troubled(error)),
    )
    announcer = Announcer(kernel, settings.announce_every, counted)
    plumber = Plumber(kernel, announcer, counted)
    specs = Specs()
    voice = Voice(identity, Channels(reporter, heart, counted), specs, plumber)
    loop = Loop(Parts(inbox, specs, plumber, announcer, reporter, voice, counted))
    _serve(settings, counted, loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.put(Stop()))
    log.info("%s starts on node %s as %s", PROGRAM_VERSION, settings.node_name, identity.boot)
    netlink.watch(lambda with_links: inbox.put(KernelChanged(with_links)))
    if settings.clean_slate == "all":
        plumber.withdraw()
    heart.start()
    reader.start()
    loop.run()
    log.info("ended: everything is withdrawn")


def _only_one() -> socket.socket:
    """Hold the lock for as long as the socket lives."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(LOCK)
    except OSError as error:
        raise SettingsError("another duravip-agent runs in this network namespace") from error
    return lock


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
    if not wire.may_send():
        raise SettingsError("no permission to open raw sockets: CAP_NET_RAW is missing")
    return kernel


def _serve(settings: Settings, counted: metrics.Metrics, loop: Loop) -> None:
    try:
        metrics.serve(endpoint(settings.http_listen), counted, loop.healthz, loop.readyz)
    except OSError as error:
        raise SettingsError(
            f"--http-listen: cannot listen on {settings.http_listen}: {error}"
        ) from error


if __name__ == "__main__":
    main()
