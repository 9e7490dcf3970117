"""Admission: kopf's webhook server asks here about what people are about to write.

Every replica answers, from its own caches, in kopf's thread: a pass that takes long delays no
answer, and an answer no pass. Nothing depends on it for safety. Where no replica answers in time
the API server lets the object in (`failurePolicy: Ignore`), and the next pass judges it again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import kopf
from aiohttp import web

from duravip_api import GROUP, VERSION
from duravip_operator.caches import Body, Caches
from duravip_operator.cluster.objects import PLURALS
from duravip_operator.core import admission, parsing
from duravip_operator.core.snapshot import Entity, Snapshot, Topology
from duravip_operator.endpoints import endpoint
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings

log = logging.getLogger(__name__)

PATH: Final = "admission"
"""What the API server asks. kopf lets everything in that comes to another path."""

LARGEST: Final = 16 * 1024**2
"""Bytes of a request: a large object twice, in an envelope. kopf reads no more than 1 MiB, and
what is not read is let in."""

LOOK_EVERY: Final = 10.0
"""Seconds between looks at the certificate: Helm, cert-manager or somebody may renew it."""

AGAIN_AFTER: Final = 2.0
FORBIDDEN: Final = 403


def judge(
    into: kopf.OperatorRegistry, caches: Caches, settings: Settings, metrics: Metrics
) -> None:
    """Have kopf ask about the kinds that people write."""

    def refused(new: Entity | Topology, old: Entity | Topology | None) -> str:
        found = admission.refusal(_known(caches, settings), new, old)
        if found is None:
            return ""
        metrics.refusals.labels(found.reason.value).inc()
        return found.message

    read: dict[str, Callable[[Body], Entity | Topology]] = {
        PLURALS["DuraVIP"]: lambda body: parsing.entity("DuraVIP", body),
        PLURALS["Binding"]: lambda body: parsing.entity("Binding", body),
        PLURALS["Topology"]: parsing.topology,
    }
    for plural, parsed in read.items():
        _judge_one(plural, parsed, into, refused)


def server(settings: Settings) -> kopf.WebhookServer:
    """What listens, to be given to kopf. Settings with webhooks only."""
    host, port = endpoint(settings.webhook_listen or "")
    folder = Path(settings.webhook_cert_dir or "")
    return _Server(
        addr=host,
        port=port,
        certfile=folder / "tls.crt",
        pkeyfile=folder / "tls.key",
        file_check_interval=LOOK_EVERY,
    )


def _judge_one(
    plural: str,
    parsed: Callable[[Body], Entity | Topology],
    into: kopf.OperatorRegistry,
    refused: Callable[[Entity | Topology, Entity | Topology | None], str],
) -> None:
    @kopf.on.validate(
        GROUP, VERSION, plural, id=PATH, operations=["CREATE", "UPDATE"], registry=into
    )
    async def admit(**told: Any) -> None:
        try:
            before = parsed(told["old"]) if told["old"] else None
            why = refused(parsed(told["new"]), before)
        except Exception:  # a bug of ours, which must lock nobody out
            log.exception("cannot judge one of %s", plural)
            return
        if why:
            log.info("refused: %s", why)
            raise kopf.AdmissionError(why, code=FORBIDDEN)


def _known(caches: Caches, settings: Settings) -> Snapshot:
    """What is written and who has which address; copied, for another thread changes it."""
    return Snapshot(
        entities=tuple(caches.entities.copy().values()),
        topologies=tuple(caches.topologies.copy().values()),
        nodes=caches.nodes.copy(),
        plumbings=caches.plumbings.copy(),
        fencing=settings.fencing,
    )


class _Server(kopf.WebhookServer):
    """kopf's, but a certificate that cannot be used, or a port that is taken, is tried again.

    kopf would end with it, and so the watches of everything that people write.
    """

    async def __call__(self, fn: Any) -> AsyncIterator[Any]:
        said = ""
        while True:
            try:
                async for reached in super().__call__(fn):
                    said = ""
                    yield reached
            except OSError as error:
                if said != str(error):
                    said = str(error)
                    log.warning("cannot serve webhooks, trying again: %s", said)
            await asyncio.sleep(AGAIN_AFTER)

    @staticmethod
    async def _serve(fn: Any, request: web.Request) -> web.Response:
        large = request.clone(client_max_size=LARGEST)
        return await kopf.WebhookServer._serve(fn, large)  # noqa: SLF001 - kopf has no setting
