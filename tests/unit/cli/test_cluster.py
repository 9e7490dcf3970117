"""What the API server's refusals become: one line each, with the right exit code."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from duravip_cli.__main__ import run
from duravip_cli.cluster import AbsentError, Cluster, to_command_error
from duravip_cli.errors import ExitCode


def _refusal(status: int, message: str) -> ApiException:
    found = ApiException(status=status, reason="Because")
    found.body = json.dumps({"message": message})
    return found


def test_a_missing_permission_says_which() -> None:
    said = 'nodes is forbidden: User "tina" cannot list resource "nodes" in API group ""'
    error = to_command_error("list nodes", _refusal(403, said))
    assert (str(error), error.code) == ("you may not list nodes (as tina)", ExitCode.PROBLEM)
    error = to_command_error("list nodes", _refusal(401, "Unauthorized"))
    assert str(error) == "you may not list nodes (Unauthorized)"


def test_missing_kinds_say_what_to_do() -> None:
    error = to_command_error("list duravips.duravip.io", _refusal(404, "page not found"))
    assert isinstance(error, AbsentError)
    assert error.code is ExitCode.USAGE
    assert "apply its CustomResourceDefinitions" in str(error)


def test_an_answer_that_is_no_json_is_still_one_line() -> None:
    broken = ApiException(status=500, reason="Because")
    broken.body = "<html>\nno"
    assert str(to_command_error("list nodes", broken)) == "cannot list nodes: 500: <html> no"


def test_an_api_server_that_is_away_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(_kubeconfig("http://127.0.0.1:1")))
    assert run(["show", "--kubeconfig", str(file)]) == ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot reach the API server at http://127.0.0.1:1: Failed to establish a new" in line
    assert "refused" in line


def test_a_context_that_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(_kubeconfig("http://127.0.0.1:1")))
    assert run(["show", "--kubeconfig", str(file), "--context", "far"]) == ExitCode.USAGE
    assert "far" in capsys.readouterr().err


class _Pages(BaseHTTPRequestHandler):
    """An API server with 10,240 DuraVIPs and nothing else, which gives them a page at a time."""

    asked: ClassVar[list[dict[str, list[str]]]] = []
    total: ClassVar[dict[str, int]] = {"duravips": 10240}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.asked.append(query)
        limit, first = int(query["limit"][0]), int(query.get("continue", ["0"])[0])
        total = self.total.get(url.path.rpartition("/")[2], 0)
        last = min(first + limit, total)
        meta = {"continue": str(last) if last < total else ""}
        body = json.dumps({"metadata": meta, "items": [_duravip(n) for n in range(first, last)]})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _duravip(n: int) -> dict[str, Any]:
    """As large as a real one."""
    time = "2026-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Served", "lastTransitionTime": time,
             "message": "served by n1 on eth1", "observedGeneration": 1}  # fmt: skip
    return {
        "metadata": {"name": f"d{n}", "namespace": "default", "managedFields": ["x" * 1200]},
        "spec": {"address": f"10.1.{n // 250}.{n % 250 + 1}"},
        "status": {
            "state": "Owned", "owner": "n1", "since": time, "participants": 3, "flags": "-",
            "conditions": [ready],
            "lastMove": {"to": "n1", "reason": "Elected", "time": time},
        },
    }  # fmt: skip


def test_ten_thousand_are_listed_by_pages_and_shown_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _serving(_Pages, tmp_path) as file:
        started = time.process_time()  # of both sides, and a busy machine does not matter
        assert run(["show", "--kubeconfig", file]) == ExitCode.OK
        assert time.process_time() - started < 3
    assert len(capsys.readouterr().out.splitlines()) == 10241
    assert len(_Pages.asked) == 22
    assert all(query["limit"] == ["500"] for query in _Pages.asked)
    assert all(("continue" in q) != (q.get("resourceVersion") == ["0"]) for q in _Pages.asked)


class _Late(_Pages):
    """Whose clock is an hour behind ours."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) - 3600)


def test_the_time_is_the_clusters_where_ours_is_wrong(tmp_path: Path) -> None:
    with _serving(_Late, tmp_path) as file:
        cluster = Cluster(file, None)
        assert cluster.clock_ahead() == pytest.approx(3600, abs=30)
        assert (datetime.now(UTC) - cluster.now()).total_seconds() == pytest.approx(3600, abs=30)


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], folder: Path) -> Iterator[str]:
    """The kubeconfig of such a server, while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(_kubeconfig(f"http://127.0.0.1:{server.server_port}")))
    try:
        yield str(file)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "near", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "near",
    }
