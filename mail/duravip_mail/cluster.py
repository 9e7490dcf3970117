"""The Bindings of a cluster, written to the file that they are read from.

So they are there when the program starts and no API server answers, and `mailq` and `rebind` know
them as well. Until both kinds were listed the file stays as it is.

Which node serves an address is the agent's to say. Of a status only this counts: what is Broken
waits, with that reason.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from kubernetes.client import CustomObjectsApi

from duravip_api import GROUP, PLURALS, VERSION
from duravip_api.addresses import from_int, parse_to_int
from duravip_api.reasons import State
from duravip_mail.bindings import parse_binding, write_bindings
from duravip_mail.core.name_claims import BindingClaim, ListenerClaim, bindings_by_claims
from duravip_runtime.api_error import Body
from duravip_runtime.informer import Informer
from duravip_runtime.kube import client_for

log = logging.getLogger(__name__)

WATCH_S: Final = 60
SILENCE_S: Final = 65.0
"""How long one watch lasts, and how long it may say nothing: a frozen connection is noticed."""
RETRY_S: Final = 5.0
"""After the disk has refused the file."""
LOGGED: Final = 20
"""Problems that are logged at a time: there may be one for each object."""


class ClusterBindings:
    """Watches Bindings, and the DuraVIPs that follow them, and writes the file."""

    def __init__(
        self, path: Path, aliases: Mapping[str, str], kubeconfig: Path | None = None
    ) -> None:
        """`aliases` are former names, each with the present one; raises SettingsError."""
        self._path, self._aliases = path, aliases
        api = CustomObjectsApi(client_for("duravip-mail", kubeconfig))
        self._news = Event()
        self._watches = tuple(_Watch(kind, api, self._news.set) for kind in ("Binding", "DuraVIP"))
        self._problems: frozenset[str] = frozenset()

    def start(self) -> None:
        """Begin to watch, and to write."""
        for watch in self._watches:
            watch.start()
        Thread(target=self._run, name="bindings", daemon=True).start()

    def stop(self) -> None:
        """Watch no more. A program that ends may do without."""
        for watch in self._watches:
            watch.stop()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            bindings, duravips = (watch.bodies() for watch in self._watches)
            if bindings is None or duravips is None:
                continue
            found, problems = read_objects(bindings, duravips, self._aliases)
            self._complain(problems)
            try:
                if write_bindings(self._path, found):
                    log.info("the cluster has %d bindings", len(found))
            except (OSError, ValueError) as error:
                log.warning("cannot keep the bindings in %s: %s", self._path, error)
                Event().wait(RETRY_S)
                self._news.set()

    def _complain(self, problems: Sequence[str]) -> None:
        for problem in [p for p in problems if p not in self._problems][:LOGGED]:
            log.warning("%s", problem)
        self._problems = frozenset(problems)


class _Watch:
    """All objects of one kind, as they were last heard of."""

    def __init__(self, kind: str, api: CustomObjectsApi, on_change: Any) -> None:
        self._on_change = on_change
        self._lock = Lock()
        self._bodies: dict[tuple[str, str], Body] | None = None
        self._informer = Informer(
            f"objects of kind {kind}",
            partial(api.list_cluster_custom_object, GROUP, VERSION, PLURALS[kind]),
            self._seen,
            self._deleted,
            on_listed=self._listed,
            watch_s=WATCH_S,
            silence_s=SILENCE_S,
        )

    def start(self) -> None:
        self._informer.start()

    def stop(self) -> None:
        self._informer.stop()

    def bodies(self) -> list[Body] | None:
        """None: they were not listed yet."""
        with self._lock:
            return None if self._bodies is None else list(self._bodies.values())

    def _listed(self, items: list[Body]) -> None:
        with self._lock:
            self._bodies = {_key(body): body for body in items}
        self._on_change()

    def _seen(self, body: Body) -> None:
        with self._lock:
            if self._bodies is not None:
                self._bodies[_key(body)] = body
        self._on_change()

    def _deleted(self, body: Body) -> None:
        with self._lock:
            if self._bodies is not None:
                self._bodies.pop(_key(body), None)
        self._on_change()


def read_objects(
    bindings: Sequence[Body], duravips: Sequence[Body], aliases: Mapping[str, str]
) -> tuple[Sequence[Any], list[str]]:
    """The Bindings as mail knows them, and what is wrong with the others."""
    claims, listeners, problems = [], [], []
    for body in bindings:
        namespace, name = _key(body)
        try:
            claims.append(_binding_claim(body))
        except ValueError as error:
            problems.append(f"binding {name} of {namespace} is ignored: {error}")
    for body in duravips:
        namespace, name = _key(body)
        try:
            listeners += _listener_claims(body)
        except ValueError as error:
            problems.append(f"duravip {name} of {namespace} is ignored: {error}")
    found, more = bindings_by_claims(claims, listeners, aliases)
    return found, problems + more


def _binding_claim(body: Body) -> BindingClaim:
    namespace, name = _key(body)
    spec = body.get("spec") or {}
    fields = {
        "name": name,
        "address": spec.get("address"),
        "group": spec.get("group"),
        "suspended": spec.get("suspend"),
        "broken": _is_broken(body),
        "managed": spec.get("enableDuravip"),
    }
    given = {field: value for field, value in fields.items() if value is not None}
    return BindingClaim(_created(body), namespace, parse_binding(given))


def _listener_claims(body: Body) -> list[ListenerClaim]:
    """None if it follows nothing, or an address: that names no Binding."""
    namespace, name = _key(body)
    spec = body.get("spec") or {}
    follows, address = spec.get("follow"), spec.get("address")
    if not follows or not address or _is_broken(body):
        return []
    canonical = from_int(*parse_to_int(str(address)))
    return [ListenerClaim(_created(body), namespace, name, canonical, str(follows))]


def _is_broken(body: Body) -> bool:
    return (body.get("status") or {}).get("state") == State.BROKEN


def _created(body: Body) -> str:
    return str(body["metadata"].get("creationTimestamp") or "")


def _key(body: Body) -> tuple[str, str]:
    meta = body["metadata"]
    return str(meta.get("namespace", "")), str(meta["name"])
