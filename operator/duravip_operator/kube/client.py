"""How to reach the API server, and what its answers mean.

Whatever it answers, or does not, becomes an ApiError here and nowhere else. Times: a request
lasts one second at most, longer where the server is slow, and is tried again after a pause where
that may help.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException, OpenApiException

from duravip_api.timing import LONGEST_REQUEST, REQUEST_RETRIES, REQUEST_TIMEOUT
from duravip_runtime.credentials import Renewing, kubeconfigs_of
from duravip_runtime.request_timeout import Patience
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError

Body = dict[str, Any]

USER_AGENT: Final = f"duravip-operator/{PROGRAM_VERSION}"
"""What the API server takes for the manager of the fields that are written."""

JSON_PATCH: Final = "application/json-patch+json"
PAGE: Final = 500
"""Objects a request of a list: one answer of ten thousand would stop every thread for a second."""

LONGEST_PAUSE: Final = 5.0
"""What an API server asks for in Retry-After is heeded up to this."""

PATIENCE: Final = Patience(REQUEST_TIMEOUT, LONGEST_REQUEST)
"""One for all that is not said otherwise: it is one server that is slow."""

_TOO_LARGE: Final = "request is too large"
_TRANSIENT: Final = frozenset({0, 429, 500, 502, 503, 504})


class ApiError(Exception):
    """A request that was refused or not answered."""

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP's code; 0 = no answer."""
        self.retry_after = retry_after
        self.is_stale = False
        """Whether a `test` in a JSON patch found another value than the one given."""

    @property
    def is_absent(self) -> bool:
        """Whether there is no such object, or kind."""
        return self.status == 404  # noqa: PLR2004

    @property
    def is_conflict(self) -> bool:
        """Whether somebody else wrote first."""
        return self.status == 409 or self.is_stale  # noqa: PLR2004

    @property
    def is_forbidden(self) -> bool:
        """Whether the operator is unknown to the API server, or has not the permission."""
        return self.status in {401, 403}

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _TRANSIENT and _TOO_LARGE not in str(self)


class ReignOverError(ApiError):
    """A write was not made: whoever decided it does not lead any more, or leads anew."""

    def __init__(self) -> None:
        super().__init__("the reign in which it was decided is over")

    @property
    def is_transient(self) -> bool:
        """It will not be made later, either."""
        return False


ERRORS: Final = (OpenApiException, urllib3.exceptions.HTTPError, OSError)
"""What a request of the client may raise."""


def configuration_from(kubeconfig: Path | None) -> Configuration:
    """How to reach the API server; raises SettingsError when that is not known."""
    configuration = Configuration()
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            path = None if kubeconfig is None else str(kubeconfig)
            config.load_kube_config(path, client_configuration=configuration)
    except Exception as error:  # whatever a malformed file makes the library raise
        where = kubeconfig or "no --kubeconfig was given, and this is no pod"
        why = " ".join(str(error).split())
        raise SettingsError(f"cannot read how to reach the API server ({where}): {why}") from error
    return configuration


class Credentials(NamedTuple):
    """What a client that is not Kubernetes' own needs to reach the API server."""

    server: str
    authorization: str
    """A header, e.g. `Bearer TOKEN`; empty: none."""
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    verify: bool


def credentials_from(kubeconfig: Path | None) -> Credentials:
    """Read them as they are now: tokens change."""
    found: Any = configuration_from(kubeconfig)
    return Credentials(
        server=found.host,
        authorization=found.get_api_key_with_prefix("BearerToken") or "",
        ca_file=found.ssl_ca_cert,
        cert_file=found.cert_file,
        key_file=found.key_file,
        verify=bool(found.verify_ssl),
    )


class Client(Renewing, ApiClient):
    """A client that follows its credentials."""


def client_for(kubeconfig: Path | None, connections: int = 4) -> ApiClient:
    """A client of its own connections; it tries nothing again by itself."""

    def load() -> Configuration:
        configuration = configuration_from(kubeconfig)
        configuration.retries = False  # urllib3 would hide how long a request really takes
        configuration.connection_pool_maxsize = connections  # type: ignore[attr-defined]
        return configuration

    client = Client(load())
    client.user_agent = USER_AGENT  # type: ignore[attr-defined]
    client.follow(load, kubeconfigs_of(kubeconfig))
    return client


def asked(call: Callable[..., object], *args: object, **options: Any) -> Body:
    """What the API server answers to one request; raises ApiError."""
    is_usual = "_request_timeout" not in options
    options.setdefault("_request_timeout", PATIENCE.timeout)
    started = time.monotonic()
    try:
        answer = call(*args, _preload_content=False, **options)
        found = json.loads(answer.data)  # type: ignore[attr-defined]
    except (*ERRORS, ValueError) as error:
        found_error = translated(error)
        if is_usual:
            _note(PATIENCE, found_error, time.monotonic() - started)
        raise found_error from error
    if is_usual:
        PATIENCE.answered(time.monotonic() - started)
    if not isinstance(found, dict):
        raise ApiError(f"the API server answered with {type(found).__name__}")
    return found


def patiently(
    patience: Patience, call: Callable[..., object], *args: object, **options: Any
) -> Body:
    """The same, with a patience of its own."""
    started = time.monotonic()
    try:
        found = asked(call, *args, _request_timeout=patience.timeout, **options)
    except ApiError as error:
        _note(patience, error, time.monotonic() - started)
        raise
    patience.answered(time.monotonic() - started)
    return found


def _note(patience: Patience, error: ApiError, took: float) -> None:
    if error.status:
        patience.answered(took)
    else:
        patience.unanswered(took)


def tried(stopping: Event, call: Callable[..., object], *args: object, **options: Any) -> Body:
    """The same, tried again after each pause while that may help."""
    for pause in REQUEST_RETRIES:
        try:
            return asked(call, *args, **options)
        except ApiError as error:
            wanted = max(pause, min(error.retry_after, LONGEST_PAUSE))
            if not error.is_transient or stopping.wait(wanted):
                raise
    return asked(call, *args, **options)


def listed(call: Callable[..., object], *args: object, **options: Any) -> tuple[list[Body], str]:
    """Every object of a kind, page by page, and the resourceVersion of the whole list."""
    items: list[Body] = []
    version = ""
    for page in _pages(call, *args, **options):
        items += page.get("items") or []
        version = version or str((page.get("metadata") or {}).get("resourceVersion") or "")
    return items, version


def _pages(call: Callable[..., object], *args: object, **options: Any) -> Iterator[Body]:
    token = ""
    while True:
        more = {"_continue": token} if token else {}
        page = asked(call, *args, limit=PAGE, **more, **options)
        yield page
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return


def translated(error: object) -> ApiError:
    """What the client raised, as the one error that the operator knows."""
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, ApiException):
        return ApiError(f"no answer: {' '.join(str(error).split())[:300]}")
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    after = str((error.headers or {}).get("Retry-After", ""))
    status = int(error.status or 0)
    message, is_stale = _message(str(body or error.reason or ""), status)
    found = ApiError(f"{status}: {message}", status, float(after) if after.isdigit() else 0.0)
    found.is_stale = is_stale
    return found


def _message(body: str, status: int) -> tuple[str, bool]:
    """The sentence in an answer, and whether it says that a `test` of a JSON patch failed.

    That is told from an object that the kind does not allow by the causes, which only that has.
    """
    try:
        said = json.loads(body)
        sentence = str(said["message"])
        causes = (said.get("details") or {}).get("causes")
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(body.split())[:500], False
    return " ".join(sentence.split())[:500], status == 422 and not causes  # noqa: PLR2004
