"""The admission webhook's port: who may ask, and what is never let in unseen."""

import asyncio
import contextlib
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings, settings_from
from duravip_operator.watch.webhooks import REQUEST_LIMITS, ServingCertificate, WebhookServer
from duravip_runtime.settings import SettingsError

UID = "1f3a-22"
OPEN = {
    "metadata": {"name": "a", "labels": {"l": "x"}, "uid": "u"},
    "spec": {"address": "10.1.1.1"},
}


def pair(folder: Path, name: str, signer: str = "") -> None:
    """A key and a certificate of this name."""
    argv = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]
    argv += ["ec_paramgen_curve:P-256", "-subj", f"/CN={name}", "-addext"]
    argv += ["subjectAltName=IP:127.0.0.1", "-keyout", str(folder / f"{name}.key")]
    argv += ["-out", str(folder / f"{name}.crt")]
    if signer:
        argv += ["-CA", str(folder / f"{signer}.crt"), "-CAkey", str(folder / f"{signer}.key")]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    pair(made, "ca")
    pair(made, "tls", "ca")
    pair(made, "api-server", "ca")
    (made / "key").write_text("0123456789abcdef\n")
    return made


def settings(folder: Path, *more: str) -> Settings:
    listen = ["--webhook-listen=127.0.0.1:0", f"--webhook-cert-dir={folder}"]
    pulse = ["--pulse-advertise=10.0.0.1:7946", f"--pulse-key-file={folder}/key"]
    return settings_from([*listen, *pulse, *more])


def review(**parts: Any) -> bytes:
    request = {"uid": UID, "operation": "UPDATE", "object": OPEN, "oldObject": None, **parts}
    return json.dumps({"kind": "AdmissionReview", "request": request}).encode()


Ask = Callable[[bytes], Awaitable[str]]


@contextlib.asynccontextmanager
async def opened(given: Settings, certificate: str = "") -> AsyncIterator[tuple[Ask, list[Any]]]:
    """A way to ask, with a certificate or without; and what kopf is asked then."""
    seen: list[Any] = []

    async def kopf(asked: Any, webhook: str) -> Any:
        seen.append((webhook, asked))
        return {"response": {"uid": asked["request"]["uid"], "allowed": True}}

    folder = given.webhook_cert_dir or Path()
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.crt", folder / f"{certificate}.key")
    gate = WebhookServer(given, Metrics("test"))
    assert gate.problem() == "the webhook's port is not open yet"
    serving = gate(kopf)
    await anext(serving)
    assert gate.problem() == ""

    async def ask(body: bytes) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port, ssl=context)
        head = f"POST /admission HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()

    try:
        async with asyncio.timeout(30):
            yield ask, seen
    finally:
        await serving.aclose()
        assert gate.problem() == "the webhook's port is closed"


def verdict(said: str) -> Any:
    head, _, body = said.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 "), said
    return json.loads(body)["response"]


def test_kopf_sees_what_a_verdict_depends_on_and_no_more(folder: Path) -> None:
    async def run() -> None:
        async with opened(settings(folder)) as (ask, seen):
            assert verdict(await ask(review(oldObject=OPEN))) == {"uid": UID, "allowed": True}
            ((webhook, asked),) = seen
        assert webhook == "admission"
        essence = {"metadata": {"name": "a"}, "spec": {"address": "10.1.1.1"}}
        assert asked["request"]["object"] == asked["request"]["oldObject"] == essence
        # Of an update kopf keeps something for ever, and anybody can make up uids.
        assert asked["request"]["operation"] == "CREATE"

    asyncio.run(run())


def test_what_is_too_large_is_refused_and_not_let_in_unseen(folder: Path) -> None:
    async def run() -> None:
        async with opened(settings(folder)) as (ask, seen):
            large = review(object={**OPEN, "status": {"x": "y" * REQUEST_LIMITS.body_bytes}})
            said = verdict(await ask(large))
            assert (said["uid"], said["allowed"]) == (UID, False)
            assert "the object is too large" in said["status"]["message"]
            assert not seen

    asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"request": 1}', b"[" * 100_000, b"\xff", review(object=[1])],
    ids=lambda body: body[:12].decode(errors="replace"),
)
def test_what_is_no_review_is_a_bad_request(folder: Path, body: bytes) -> None:
    async def run() -> None:
        async with opened(settings(folder)) as (ask, seen):
            assert (await ask(body)).startswith("HTTP/1.1 400 ")
            assert verdict(await ask(review()))["allowed"]
            assert len(seen) == 1

    asyncio.run(run())


def test_where_a_certificate_is_wanted_nobody_else_is_heard(folder: Path) -> None:
    guarded = settings(folder, f"--webhook-client-ca={folder}/ca.crt")

    async def run() -> None:
        async with opened(guarded) as (ask, seen):
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                assert await ask(review()) == ""
            assert not seen
        async with opened(guarded, "api-server") as (ask, _):
            assert verdict(await ask(review()))["allowed"]

    asyncio.run(run())


def test_a_certificate_that_cannot_be_used_leaves_the_former_in_force(tmp_path: Path) -> None:
    pair(tmp_path, "tls")
    certificate = ServingCertificate(tmp_path, None)
    certificate.load()
    former = certificate.context
    certificate.load()
    assert certificate.context is former
    (tmp_path / "tls.crt").write_text("none\n")
    with pytest.raises(OSError, match="PEM"):
        certificate.load()
    assert certificate.context is former
    pair(tmp_path, "tls")
    certificate.load()
    assert certificate.context is not former


def test_without_any_certificate_that_can_be_used_none_is_taken_for_loaded(
    folder: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "tls.crt", tmp_path / "tls.key"]
    for file in files:
        file.write_text("no certificate\n")
    certificate = ServingCertificate(tmp_path, None)
    for _ in range(2):
        with pytest.raises(OSError, match="SSL"):
            certificate.load()
    for file in files:
        file.write_bytes((folder / file.name).read_bytes())
    certificate.load()
    assert certificate.context


def test_a_certificate_of_clients_needs_a_webhook(folder: Path) -> None:
    with pytest.raises(SettingsError, match="--webhook-client-ca needs --webhook-listen"):
        settings_from([f"--pulse-key-file={folder}/key", "--pulse-advertise=10.0.0.1:7946",
                f"--webhook-client-ca={folder}/ca.crt"])  # fmt: skip
