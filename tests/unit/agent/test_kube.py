"""The agent's client against an API server that answers as badly as it can."""

import json
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from duravip_agent.control.kube import NodePlumbingClient
from duravip_agent.metrics import Metrics
from duravip_runtime.api_error import ApiError

Answer = tuple[int, dict[str, str], list[Any]]
OBJECT = {"metadata": {"name": "n1", "uid": "u1", "resourceVersion": "7", "generation": 1}}


class Server:
    """Gives the answers that it was told, one for each request; a watch's are lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: list[Answer] = []
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.requests.append(f"{self.command} {self.path}")
                code, headers, bodies = server.answers.pop(0) if server.answers else (500, {}, [])
                text = "".join(json.dumps(body) + "\n" for body in bodies).encode()
                self.send_response(code)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None: ...

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def cluster(self) -> NodePlumbingClient:
        return cluster_at(self.http.server_port, self.folder)


def cluster_at(port: int, folder: Path) -> NodePlumbingClient:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return NodePlumbingClient("n1", Metrics("1.0"), folder / "kubeconfig")


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[Server]:
    caplog.set_level(logging.CRITICAL, logger="kubernetes")
    server = Server(tmp_path)
    yield server
    server.http.shutdown()
    server.http.server_close()


class Ears:
    """Hears what a watch has to say."""

    def __init__(self) -> None:
        self.heard: SimpleQueue[str] = SimpleQueue()
        self.ends: list[Callable[[], None]] = []

    def on_object(self, body: dict[str, Any]) -> None:
        self.heard.put(f"seen {body['metadata']['resourceVersion']}")

    def on_absent(self) -> None:
        self.heard.put("absent")

    def on_error(self, error: ApiError) -> None:
        self.heard.put(f"troubled {error.status}")

    def next(self, count: int) -> list[str]:
        return [self.heard.get(timeout=5) for _ in range(count)]


@pytest.fixture
def ears() -> Iterator[Ears]:
    ears = Ears()
    yield ears
    for end in ears.ends:
        end()


def at_version(version: int) -> dict[str, Any]:
    return {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": str(version)}}


def listing(*versions: int) -> Answer:
    body = {"metadata": {"resourceVersion": "9"}, "items": [at_version(v) for v in versions]}
    return 200, {}, [body]


def events(*found: tuple[str, dict[str, Any]]) -> Answer:
    return 200, {}, [{"type": kind, "object": body} for kind, body in found]


def test_a_write_is_a_merge_patch_of_the_status_and_gives_the_object(server: Server) -> None:
    server.answers = [(200, {}, [OBJECT])]
    assert server.cluster().patch_status({"served": []}) == OBJECT
    path = "/apis/duravip.io/v1alpha1/nodeplumbings/n1/status"
    assert server.requests == [f"PATCH {path}"]


@pytest.mark.parametrize("code", [401, 403, 404, 409, 429, 500, 503])
def test_a_refusal_becomes_an_error_with_its_code(server: Server, code: int) -> None:
    server.answers = [(code, {"Retry-After": "3"}, [{"kind": "Status", "message": "no"}])]
    with pytest.raises(ApiError) as refused:
        server.cluster().patch_status({})
    error = refused.value
    assert (error.status, error.retry_after) == (code, 3.0)
    assert (error.is_absent, error.is_forbidden) == (code == 404, code == 403)
    assert "\n" not in str(error)
    assert len(server.requests) == 1


def test_what_is_too_large_is_hopeless(server: Server) -> None:
    server.answers = [(500, {}, [{"message": "etcdserver: request is too large"}])]
    with pytest.raises(ApiError) as refused:
        server.cluster().patch_status({})
    assert refused.value.is_hopeless


def test_no_server_is_an_error_without_a_code(tmp_path: Path) -> None:
    cluster = cluster_at(9, tmp_path)
    with pytest.raises(ApiError, match="no answer") as refused:
        cluster.get()
    assert refused.value.status == 0


def test_the_watch_tells_of_the_object_of_changes_and_of_its_end(
    server: Server, ears: Ears
) -> None:
    server.answers = [
        listing(8),
        events(("MODIFIED", at_version(10)), ("DELETED", at_version(11))),
    ]
    ears.ends.append(server.cluster().watch(ears.on_object, ears.on_absent, ears.on_error))
    assert ears.next(3) == ["seen 8", "seen 10", "absent"]
    assert "fieldSelector=metadata.name%3Dn1" in server.requests[0]


def test_a_list_that_is_refused_is_repeated_and_one_without_the_object_is_told(
    server: Server, ears: Ears
) -> None:
    server.answers = [(429, {}, []), (401, {}, []), listing()]
    ears.ends.append(server.cluster().watch(ears.on_object, ears.on_absent, ears.on_error))
    assert ears.next(3) == ["troubled 429", "troubled 401", "absent"]


def test_after_a_410_it_lists_again_and_finds_out_that_the_object_is_gone(
    server: Server, ears: Ears
) -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    refused = events(("ERROR", gone))  # the client tries once more before it believes it
    server.answers = [listing(8), refused, refused, listing()]
    ears.ends.append(server.cluster().watch(ears.on_object, ears.on_absent, ears.on_error))
    assert ears.next(2) == ["seen 8", "absent"]


def test_a_stream_that_breaks_is_resumed_where_it_was(server: Server, ears: Ears) -> None:
    broken: Answer = (200, {}, [{"type": "MODIFIED", "object": at_version(10)}])
    server.answers = [listing(8), broken, (500, {}, []), events(("MODIFIED", at_version(12)))]
    ears.ends.append(server.cluster().watch(ears.on_object, ears.on_absent, ears.on_error))
    assert ears.next(4) == ["seen 8", "seen 10", "troubled 500", "seen 12"]
    assert "resourceVersion=10" in server.requests[3]
