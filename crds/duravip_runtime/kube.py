"""How the programs ask the API server.

Whatever the server answers, or does not, becomes an ApiError here and nowhere else. The retry
policy stands in `api_error`.

A request may take one second, and longer where the server has been slow lately. With a fixed
time-out every request to a slow server is given up just before the answer comes, and asked again,
which makes the server no faster. So a request may take three times what one took lately.

To connect may take as long again. A connection that took nearly all the time would otherwise be
given up as soon as it is there, and the next one costs both sides another handshake.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException, OpenApiException

from duravip_api.timing import LONGEST_REQUEST, REQUEST_RETRIES, REQUEST_TIMEOUT
from duravip_runtime.api_error import ApiError, Body, pause_after
from duravip_runtime.credentials import RenewingClient, kubeconfig_files
from duravip_runtime.settings import PROGRAM_VERSION, SettingsError

SLACK_FACTOR: Final = 3.0
"""How many times the recent duration a request may take."""

DECAY: Final = 0.9
"""By this factor the memory of a slow answer fades with each later answer."""


class RequestTimeout:
    """The time-out for one sort of requests. Any thread may use it: at worst it misses one answer.

    All times are in seconds.
    """

    def __init__(self, shortest: float, longest: float) -> None:
        """`shortest` is enough for a server that is well."""
        self._shortest, self._longest = shortest, longest
        self._recent = 0.0
        self._least = shortest

    @property
    def timeout(self) -> float:
        """What the next request may take."""
        return min(self._longest, max(self._shortest, self._least, SLACK_FACTOR * self._recent))

    def answered(self, took: float) -> None:
        """A request was answered, whatever the answer was."""
        self._recent = max(took, DECAY * self._recent)
        self._least = self._shortest

    def unanswered(self, took: float) -> None:
        """A request was not answered: if it waited for all its time, the next waits for longer."""
        if took >= DECAY * self.timeout:
            self._least = min(self._longest, 2 * self.timeout)


JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
PAGE: Final = 500
"""Objects a request of a list: one answer of ten thousand would stop every thread for a second."""

ERRORS: Final = (OpenApiException, urllib3.exceptions.HTTPError, OSError)
"""What a request of the client may raise."""

SHARED_TIMEOUT: Final = RequestTimeout(REQUEST_TIMEOUT, LONGEST_REQUEST)
"""For every request that has no time-out of its own: it is one server that is slow."""

_MAX_MESSAGE: Final = 500


def configuration_from(kubeconfig: Path | None, context: str | None = None) -> Configuration:
    """How to reach the API server; raises SettingsError when that is not known.

    Without a kubeconfig: the pod's own identity, or else what kubectl would use.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            path = None if kubeconfig is None else str(kubeconfig)
            config.load_kube_config(path, context, client_configuration=configuration)
    except Exception as error:  # whatever a malformed file makes the library raise
        where = kubeconfig or "no --kubeconfig was given, and this is no pod"
        why = " ".join(str(error).split())
        raise SettingsError(f"cannot read how to reach the API server ({where}): {why}") from error
    configuration.retries = False  # urllib3 would hide how long a request really takes
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
    """Read them as they are now: tokens change. Raises SettingsError."""
    configuration: Any = configuration_from(kubeconfig)
    return Credentials(
        server=configuration.host,
        authorization=configuration.get_api_key_with_prefix("BearerToken") or "",
        ca_file=configuration.ssl_ca_cert,
        cert_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify=bool(configuration.verify_ssl),
    )


class Client(RenewingClient, ApiClient):
    """A client that follows its credentials."""


def client_for(program: str, kubeconfig: Path | None, connections: int = 4) -> ApiClient:
    """A client with connections of its own; raises SettingsError.

    `program`, e.g. `duravip-agent`, is what the API server takes for the manager of the fields
    that are written.
    """

    def load() -> Configuration:
        configuration = configuration_from(kubeconfig)
        configuration.connection_pool_maxsize = connections  # type: ignore[attr-defined]
        return configuration

    client = Client(load())
    client.user_agent = f"{program}/{PROGRAM_VERSION}"  # type: ignore[attr-defined]
    client.follow(load, kubeconfig_files(kubeconfig))
    return client


def request(
    method: Callable[..., object],
    *args: object,
    timeout: RequestTimeout = SHARED_TIMEOUT,
    **options: Any,
) -> Body:
    """What the API server answers to one request; raises ApiError.

    `method` is one of the client's. A `_request_timeout` among the options counts instead of
    `timeout`, which then learns nothing.
    """
    learns = "_request_timeout" not in options
    options.setdefault("_request_timeout", (timeout.timeout, timeout.timeout))
    started = time.monotonic()
    try:
        response: Any = method(*args, _preload_content=False, **options)
        answer = json.loads(response.data)
    except (*ERRORS, ValueError) as raised:
        error = to_api_error(raised)
        if learns and error.status:
            timeout.answered(time.monotonic() - started)
        elif learns:
            timeout.unanswered(time.monotonic() - started)
        raise error from raised
    if learns:
        timeout.answered(time.monotonic() - started)
    if not isinstance(answer, dict):
        raise ApiError(f"the API server answered with {type(answer).__name__}")
    return answer


def request_with_retries(
    stopping: Event, method: Callable[..., object], *args: object, **options: Any
) -> Body:
    """The same, tried five times in all where that may help; less once `stopping` is set."""
    for failures in range(1, len(REQUEST_RETRIES) + 1):
        try:
            return request(method, *args, **options)
        except ApiError as error:
            pause = pause_after(failures, error.retry_after)
            if not error.is_transient or stopping.wait(pause):
                raise
    return request(method, *args, **options)


def list_all(
    method: Callable[..., object], *args: object, **options: Any
) -> tuple[list[Body], str]:
    """`(every object of a kind, the resourceVersion of the list)`, asked for page by page."""
    items: list[Body] = []
    version = token = ""
    while True:
        more: dict[str, Any] = {"_continue": token} if token else {}
        page = request(method, *args, limit=PAGE, **more, **options)
        items += page.get("items") or []
        metadata = page.get("metadata") or {}
        version = version or str(metadata.get("resourceVersion") or "")
        token = str(metadata.get("continue") or "")
        if not token:
            return items, version


def to_api_error(raised: object) -> ApiError:
    """What the client raised, as the one error that the programs know."""
    if isinstance(raised, ApiError):
        return raised
    if not isinstance(raised, ApiException):
        return ApiError(f"no answer: {' '.join(str(raised).split())[:300]}")
    after = str((raised.headers or {}).get("Retry-After", ""))
    status = int(raised.status or 0)
    message, causes = message_of(raised)
    error = ApiError(f"{status}: {message}", status, float(after) if after.isdigit() else 0.0)
    # A failed `test` of a JSON patch is a 422 as well as an object that the kind does not allow:
    # only the latter names causes.
    error.is_stale = status == 422 and causes == []  # noqa: PLR2004
    return error


def message_of(raised: ApiException) -> tuple[str, list[Any] | None]:
    """`(the sentence in an answer, its causes; None: the answer is no Status object)`."""
    body = raised.body.decode(errors="replace") if isinstance(raised.body, bytes) else raised.body
    text = str(body or raised.reason or "no reason given")
    try:
        status = json.loads(text)
        sentence, causes = str(status["message"]), (status.get("details") or {}).get("causes")
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(text.split())[:_MAX_MESSAGE], None
    return " ".join(sentence.split())[:_MAX_MESSAGE], causes or []
