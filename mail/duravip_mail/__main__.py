"""`duravip-mail`: keeps a node's Postfix in step with the addresses that the node serves.

    duravip-mail run         beside Postfix, for ever
    duravip-mail configure   once, before Postfix starts
    duravip-mail mailq       the queue by Binding and domain
    duravip-mail moves       which messages were handed over to other nodes
    duravip-mail rebind      have queued mail looked at again

Exit codes: 0 asked to stop, or done; 2 wrong settings; 1 anything else.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from duravip_mail.agent import AgentFollower
from duravip_mail.bindings import BindingsFile, parse_binding_options, parse_rules
from duravip_mail.cluster import ClusterBindings
from duravip_mail.core.assigning import AssignRule, action_for
from duravip_mail.core.postfix_config import MailNode, policy_socket
from duravip_mail.loop import Loop, configure
from duravip_mail.maillog import MailLog
from duravip_mail.metrics import Metrics
from duravip_mail.policy import PolicyServer
from duravip_mail.postfix import Postfix, PostfixError, user_id
from duravip_mail.queue_views import rebind, show_moves, show_queue
from duravip_mail.reach import Reach
from duravip_mail.settings import (
    VERBS,
    MailqSettings,
    MovesSettings,
    RebindSettings,
    Settings,
    former_names,
    mail_node,
    settings_from,
)
from duravip_mail.spool import Spool
from duravip_runtime import log_format
from duravip_runtime.program import begin_logging, run_program
from duravip_runtime.program_metrics import page_server
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError
from duravip_runtime.text import printable

log = logging.getLogger(__name__)

KEY_BYTES: Final = 32

Read = TypeVar("Read")


def main() -> None:
    """Run the program, and end with its exit code."""

    def work() -> int:
        try:
            return run(sys.argv[1:])
        except PostfixError as error:
            sys.stderr.write(f"duravip-mail: {printable(str(error))}\n")
            return 1

    run_program("duravip-mail", work)


def run(words: list[str]) -> int:
    """Run one verb; the exit code."""
    if words[:1] in ([], ["--help"], ["-h"]):
        sys.stdout.write(f"{__doc__}\nEach has --help.\n")
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"{PROGRAM_VERSION}\n")
        return 0
    verb, arguments = words[0], words[1:]
    if verb not in VERBS:
        raise SettingsError(f"there is no verb {verb!r}: take one of {', '.join(VERBS)}")
    settings = settings_from(verb, arguments)
    if verb == "run":
        begin_logging(settings)
    else:  # the variables of `run` are no settings of these
        log_format.set_up(settings.log_format, settings.log_level)
    if isinstance(settings, MovesSettings):
        show_moves(settings)
    elif isinstance(settings, MailqSettings):
        show_queue(settings)
    elif isinstance(settings, RebindSettings):
        rebind(settings)
    elif isinstance(settings, Settings):
        if verb == "configure":
            _configure(settings)
        else:
            _run(settings)
    return 0


def _configure(settings: Settings) -> None:
    postfix = Postfix(settings.folder)
    postfix.prepare()
    bindings = BindingsFile(settings.bindings_file).read()
    configure(postfix, _node(settings), bindings, _key(settings.folder))


def _run(settings: Settings) -> None:
    counted = Metrics(PROGRAM_VERSION)
    rules: tuple[AssignRule, ...] = _read("--assign-file", settings.assign_file, parse_rules, ())
    postfix, key = Postfix(settings.folder), _key(settings.folder)
    postfix.prepare()
    reach = Reach(settings.node_addresses.split(","))
    node = _node(settings)
    loop = Loop(
        node=node,
        postfix=postfix,
        bindings=BindingsFile(settings.bindings_file),
        spool=Spool(postfix.spool),
        maillog=MailLog(settings.folder / "log/maillog"),
        reach=reach,
        metrics=counted,
        key=key,
    )
    if node.assigns:
        policy = PolicyServer(
            Path(policy_socket(node)),
            user_id(),
            lambda request, chance: action_for(request, rules, loop.current_world(), key, chance),
        )
        policy.start()
    probes = {"/healthz": loop.healthz, "/readyz": loop.readyz}
    page_server(settings.http_listen, counted.registry, probes).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    log.info("%s starts on node %s", PROGRAM_VERSION, settings.node_name)
    if settings.bindings_from == "cluster":
        ClusterBindings(
            settings.bindings_file, former_names(settings), settings.kubeconfig
        ).start()
    reach.start()
    AgentFollower(settings.agent, loop.put_served, loop.put_connected).start()
    loop.run()
    log.info("ended: Postfix goes on by the last tables")


def _node(settings: Settings) -> MailNode:
    return mail_node(
        settings,
        _read("--postfix-file", settings.postfix_file, bytes.decode, ""),
        _read("--binding-options-file", settings.binding_options_file, parse_binding_options, {}),
    )


def _read(option: str, path: Path | None, parse: Callable[[bytes], Read], without: Read) -> Read:
    """What a file that an option names has, or what there is without it."""
    if path is None:
        return without
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{option}: {path}: {error}") from error


def _key(folder: Path) -> bytes:
    """The node's key for tokens, made when it is first needed."""
    path = folder / "token.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            new = path.with_name(f"token.key.{os.getpid()}")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(os.urandom(KEY_BYTES))
            new.replace(path)
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"--folder: cannot keep a key there: {error}") from error


if __name__ == "__main__":
    main()
