"""Validating admission: kopf's webhook server asks here about what people are about to write.

Every replica answers from its own store, in kopf's thread: a long pass delays no answer, and an
answer no pass. Nothing depends on it for safety. Where no replica answers in time the API server
admits the object (`failurePolicy: Ignore`), and the next pass judges it again.
"""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import kopf

from duravip_api import GROUP, PLURALS, VERSION
from duravip_operator.core import admission, parsing
from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_operator.core.snapshot import Rejection, Snapshot, Topology, VipObject
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_operator.watch.store import Body, Store
from duravip_runtime.http_server import (
    HttpRequest,
    HttpResponse,
    HttpServer,
    Limits,
    listening_socket,
)
from duravip_runtime.settings import parse_endpoint

log = logging.getLogger(__name__)

ADMISSION_PATH: Final = "admission"
"""What the API server asks. kopf lets everything in that comes to another path."""

REQUEST_LIMITS: Final = Limits(body_bytes=3 * 1024**2)
"""As much as the API server itself takes of one object."""

REVIEW_UID: Final = re.compile(rb'"uid": ?"([-0-9a-zA-Z]{1,64})"')
TOO_LARGE_MESSAGE: Final = (
    "the object is too large, or too many large ones are written now: try again"
)

CERTIFICATE_CHECK_EVERY_S: Final = 10.0
"""Seconds between looks at the certificate: Helm, cert-manager or somebody may renew it."""

RETRY_EVERY_S: Final = 2.0
FORBIDDEN: Final = 403
Judged = TypeVar("Judged")
"""An object of a kind that is judged, parsed."""
WebhookFn = Callable[..., Awaitable[Any]]
"""kopf's own: it takes a review, and gives the answer."""


def register(
    into: kopf.OperatorRegistry,
    store: Store,
    pools: Mapping[str, AddressPool],
    settings: Settings,
    metrics: Metrics,
) -> None:
    """Have kopf ask about the kinds that people write; `pools` is kept up to date."""

    def refused(new: VipObject | Topology, old: VipObject | Topology | None) -> Rejection | None:
        return admission.refusal(_admission_snapshot(store, settings), new, old)

    def refused_pool(new: AddressPool, old: AddressPool | None) -> Rejection | None:
        return admission.pool_refusal(list(pools.values()), new, old)

    read: dict[str, Callable[[Body], VipObject | Topology]] = {
        PLURALS["DuraVIP"]: lambda body: parsing.vip_object("DuraVIP", body),
        PLURALS["Binding"]: lambda body: parsing.vip_object("Binding", body),
        PLURALS["Topology"]: parsing.topology,
    }
    for plural, parsed in read.items():
        _register_kind(plural, parsed, into, refused, metrics)
    _register_kind(PLURALS["AddressPool"], parse_pool, into, refused_pool, metrics)


class WebhookServer:
    """What kopf serves admission by: our own HTTP server, for kopf's sets no limits.

    A certificate that cannot be used, or a port that is taken, is tried again: kopf would end
    with it, and so would the watches of everything that people write.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Settings with webhooks only."""
        self._where = parse_endpoint(settings.webhook_listen or "")
        self._certificate = ServingCertificate(
            Path(settings.webhook_cert_dir or ""), settings.webhook_client_ca
        )
        self._metrics = metrics
        self._problem = "the webhook's port is not open yet"
        self.port = self._where.port
        """The TCP port that is listened on."""

    def problem(self) -> str:
        """Why nobody can ask; empty: all is well. From any thread."""
        return self._problem

    async def __call__(self, fn: WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        """Have kopf's `fn` answer, until cancelled."""
        while True:
            try:
                self._certificate.load()
                listening = listening_socket(*self._where)
            except (OSError, ValueError) as error:
                problem = f"cannot serve webhooks, trying again: {error}"
                if problem != self._problem:
                    log.warning(problem)
                self._note(problem)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            self.port = int(listening.getsockname()[1])
            listener = HttpServer(
                listening,
                partial(_answer_review, fn),
                REQUEST_LIMITS,
                lambda: self._certificate.context,
            )
            serving = asyncio.create_task(listener.run(), name="webhooks")
            self._note("")
            try:
                yield kopf.WebhookClientConfig(url=f"https://{self._where}")
                await self._renew_until(serving)
            finally:
                serving.cancel()
                self._note("the webhook's port is closed")

    async def _renew_until(self, serving: asyncio.Task[None]) -> None:
        """Take up new certificates until the server ends, which it does when it is cancelled."""
        while not serving.done():
            await asyncio.wait([serving], timeout=CERTIFICATE_CHECK_EVERY_S)
            try:
                self._certificate.load()
            except (OSError, ValueError) as error:
                log.warning("cannot use the webhook's new certificate: %s", error)

    def _note(self, problem: str) -> None:
        self._problem = problem
        self._metrics.webhook_listening.set(not problem)


class ServingCertificate:
    """The server's certificate, read again when its files change.

    A new one that cannot be used leaves the former in force.
    """

    def __init__(self, folder: Path, client_ca: Path | None) -> None:
        self._files = [folder / "tls.crt", folder / "tls.key"]
        self._client_ca = client_ca
        self._read: list[bytes] = []
        self.context: ssl.SSLContext | None = None

    def load(self) -> None:
        """Read it, if it has changed or there is none yet.

        Raises OSError or ValueError when it cannot be used.
        """
        files = [*self._files, *filter(None, [self._client_ca])]
        read = [file.read_bytes() for file in files]
        if read == self._read and self.context:
            return
        self._read = read  # beside one in force, what is wrong with it is said once
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(str(self._files[0]), str(self._files[1]))
        if self._client_ca:
            context.load_verify_locations(str(self._client_ca))
            context.verify_mode = ssl.CERT_REQUIRED
        self.context = context


async def _answer_review(fn: WebhookFn, request: HttpRequest) -> HttpResponse:
    """Answer one AdmissionReview."""
    if request.method != "POST":
        return HttpResponse(HTTPStatus.METHOD_NOT_ALLOWED, b"POST alone is answered\n")
    if not request.is_whole:
        return _refuse_unread(request.body)
    try:
        review = _trim_review(json.loads(request.body))
        answer = await fn(review, webhook=request.path.removeprefix("/"))
    except Exception as error:  # noqa: BLE001 - whatever somebody has sent, or kopf makes of it
        why = f"cannot be read: {type(error).__name__}\n"
        return HttpResponse(HTTPStatus.BAD_REQUEST, why.encode())
    return HttpResponse(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")


def _refuse_unread(prefix: bytes) -> HttpResponse:
    """Refuse what was not read: let in, it would be an object that nobody has judged.

    The API server writes the review's uid before the object.
    """
    uid = REVIEW_UID.search(prefix)
    if uid is None:
        return HttpResponse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large\n")
    status = {"code": HTTPStatus.TOO_MANY_REQUESTS, "message": TOO_LARGE_MESSAGE}
    verdict = {"uid": uid[1].decode(), "allowed": False, "status": status}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict}
    return HttpResponse(HTTPStatus.OK, json.dumps(review).encode(), "application/json")


def _trim_review(review: Body) -> Body:
    """The review with only what a verdict depends on.

    kopf compares both versions of an object field by field, which takes long for thousands of
    labels, and keeps something for ever for each uid that is said to be updated.
    """
    request = review["request"]
    parts = {
        part: _judged_fields(request[part]) for part in ("object", "oldObject") if request[part]
    }
    return {**review, "request": {**request, "operation": "CREATE", **parts}}


def _judged_fields(body: Body) -> Body:
    metadata = body["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
    return {**{k: body[k] for k in ("apiVersion", "kind", "spec") if k in body}, "metadata": kept}


def _register_kind(
    plural: str,
    parsed: Callable[[Body], Judged],
    into: kopf.OperatorRegistry,
    refused: Callable[[Judged, Judged | None], Rejection | None],
    metrics: Metrics,
) -> None:
    @kopf.on.validate(
        GROUP, VERSION, plural, id=ADMISSION_PATH, operations=["CREATE", "UPDATE"], registry=into
    )
    async def admit(**told: Any) -> None:
        try:
            before = parsed(told["old"]) if told["old"] else None
            found = refused(parsed(told["new"]), before)
        except Exception:  # a bug of ours, which must lock nobody out
            log.exception("cannot judge one of %s", plural)
            return
        if found:
            metrics.refusals.labels(found.reason.value).inc()
            log.info("refused: %s", found.message)
            raise kopf.AdmissionError(found.message, code=FORBIDDEN)


def _admission_snapshot(store: Store, settings: Settings) -> Snapshot:
    """What is written and who has which address; copied, for another thread changes it."""
    return Snapshot(
        vips=tuple(store.vips.copy().values()),
        topologies=tuple(store.topologies.copy().values()),
        nodes=store.nodes.copy(),
        plumbings=store.plumbings.copy(),
        api_hosts=store.api_hosts,
        fencing=settings.fencing,
    )
