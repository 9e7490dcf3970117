"""Credentials of a kubeconfig, or of a pod, that change while a program runs.

Tokens and certificates are renewed in place, and plugins hand out tokens for an hour. What was
read once is refused some day, for ever. So they are read again when a file has changed, and when
the API server does not know us (401). If that lasts, it is said, and the program ends where that
does no harm.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Final

import yaml

log = logging.getLogger(__name__)

UNAUTHORIZED: Final = 401
CHECK_EVERY_S: Final = 2.0
"""Seconds between two looks at the files."""

MIN_RELOAD_S: Final = 1.0
"""After a refusal they are read again at most so often: a plugin may be slow."""

LASTING_AFTER_S: Final = 60.0
"""A refusal that has lasted for so long will not go away by itself."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SENTENCE: Final = (
    f"the API server has not known us for {LASTING_AFTER_S:.0f} s (401): the credentials of the "
    "kubeconfig, or of the pod, are not valid any more"
)
_NAMED_BY: Final = ("tokenFile", "client-certificate", "client-key", "certificate-authority")


def kubeconfig_files(given: Path | None) -> tuple[Path, ...]:
    """The files that the client reads; none in a pod."""
    if given is not None:
        return (given,)
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return ()
    usual = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return tuple(Path(part) for part in usual.split(os.pathsep) if part)


def credential_files(kubeconfigs: tuple[Path, ...]) -> tuple[Path, ...]:
    """The kubeconfigs, and every file that they name; without one: those of a pod."""
    if not kubeconfigs:
        return (SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt")
    named = [path for config in kubeconfigs for path in _named_in(config)]
    return (*kubeconfigs, *dict.fromkeys(named))


def _named_in(config: Path) -> Iterator[Path]:
    try:
        content = yaml.safe_load(config.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return
    for kind, part in (("users", "user"), ("clusters", "cluster")):
        entries = content.get(kind) if isinstance(content, dict) else None
        for entry in entries or ():
            fields: Any = entry.get(part) if isinstance(entry, dict) else None
            named = fields if isinstance(fields, dict) else {}
            yield from (config.parent / str(named[key]) for key in _NAMED_BY if named.get(key))


def file_stamps(files: tuple[Path, ...]) -> tuple[object, ...]:
    """Differs once one of them is another one, or has another content."""
    return tuple(_state(file) for file in files)


def _state(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


class Refusals:
    """Since when the API server does not know us, over all clients of a program."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self.on_lasting: Callable[[str], None] = lambda _: None
        """Called with a sentence, from any thread, at each refusal after so long a time."""

    def lasting(self) -> str:
        """What is wrong, if that has lasted too long; else empty."""
        since = self._since
        is_lasting = since is not None and self._clock() - since >= LASTING_AFTER_S
        return _SENTENCE if is_lasting else ""

    def note(self, status: int) -> None:
        """A request was answered so."""
        if status != UNAUTHORIZED:
            if self._since is not None:
                log.info("the API server knows us again")
            self._since = None
            return
        now = self._clock()
        if self._since is None:
            log.warning("the API server does not know us (401): the credentials are read again")
            self._since = now
        elif sentence := self.lasting():
            self.on_lasting(sentence)


REFUSALS: Final = Refusals()
"""Of this program."""


class RenewingClient:
    """A mix-in for a client of the API server: it sends the credentials that are valid now."""

    configuration: Any
    rest_client: Any

    def follow(self, load: Callable[[], Any], kubeconfigs: tuple[Path, ...]) -> None:
        """`load` gives a new Configuration; raises whatever it likes."""
        self._load, self._kubeconfigs = load, kubeconfigs
        self._files = credential_files(kubeconfigs)
        self._state = file_stamps(self._files)
        self._looked = self._read = time.monotonic()
        self._renewing = Lock()

    def call_api(
        self, method: str, url: str, header_params: Any = None, *args: Any, **named: Any
    ) -> Any:
        """One request; another one if the first was refused and there are other credentials."""
        if self._have_changed():
            self._renew()
        headers = self._authorized(header_params)
        status, answer = self._asked(method, url, headers, *args, **named)
        is_old = time.monotonic() - self._read >= MIN_RELOAD_S
        if status == UNAUTHORIZED and is_old and self._renew():
            headers = self._authorized(header_params)
            status, answer = self._asked(method, url, headers, *args, **named)
        REFUSALS.note(status)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _asked(self, *args: Any, **named: Any) -> tuple[int, Any]:
        parent: Any = super()
        try:
            answer = parent.call_api(*args, **named)
        except Exception as error:
            status = getattr(error, "status", None)
            if not status:
                raise  # no answer says nothing about us
            return int(status), error
        return int(getattr(answer, "status", 200)), answer

    def _authorized(self, headers: Any) -> Any:
        configuration: Any = self.configuration
        token = configuration.get_api_key_with_prefix("BearerToken")
        found = {k: v for k, v in dict(headers or {}).items() if k.lower() != "authorization"}
        basic = configuration.get_basic_auth_token() if configuration.username else None
        return {**found, "authorization": token or basic} if token or basic else found

    def _have_changed(self) -> bool:
        now = time.monotonic()
        if now - self._looked < CHECK_EVERY_S:
            return False
        self._looked = now
        return file_stamps(self._files) != self._state

    def _renew(self) -> bool:
        """Read the credentials again, and connect anew; whether that could be done."""
        with self._renewing:
            state = file_stamps(self._files)
            self._read = time.monotonic()
            try:
                configuration = self._load()
                client = type(self.rest_client)(configuration)
            except Exception as error:  # noqa: BLE001 - whatever a malformed file makes it raise
                log.warning("cannot read the credentials again: %s", " ".join(str(error).split()))
                return False
            self.configuration, self.rest_client = configuration, client
            self._files = credential_files(self._kubeconfigs)
            self._state = state
            return True
