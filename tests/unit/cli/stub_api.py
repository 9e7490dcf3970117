"""An API server for the command line: what it holds, and what may be read and written there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml

USER: Final = "tina"
TENANT: Final = frozenset({"duravips", "vipbindings", "services", "events"})
"""What a tenant may read and write in its own namespace."""
MOST_ON_A_PAGE: Final = 500

Lists = Mapping[str, Sequence[Mapping[str, Any]]]


class _Handler(BaseHTTPRequestHandler):
    """Answers from `lists`, by plural; `namespace` is where a tenant may, None: everywhere."""

    lists: Lists
    namespace: str | None

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        resource, namespace, name = _parts(url.path)
        if self._is_refused(resource, namespace, "get" if name else "list"):
            return
        found = [
            body
            for body in self.lists.get(resource, ())
            if namespace in {"", body["metadata"].get("namespace", "")}
            and name in {"", body["metadata"]["name"]}
        ]
        if name:
            self._answer(200 if found else 404, found[0] if found else {"message": "not found"})
            return
        query = parse_qs(url.query)
        first = int(query.get("continue", ["0"])[0])
        last = first + min(int(query.get("limit", ["1000000"])[0]), MOST_ON_A_PAGE)
        rest = {"continue": str(last)} if last < len(found) else {}
        self._answer(200, {"metadata": rest, "items": found[first:last]})

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        resource, namespace, name = _parts(urlsplit(self.path).path)
        if not self._is_refused(resource, namespace, "patch"):
            self._answer(200, {"metadata": {"name": name}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        resource, namespace, _ = _parts(urlsplit(self.path).path)
        if not self._is_refused(resource, namespace, "create"):
            why = 'admission webhook "admission.duravip.io" denied the request'
            self._answer(400, {"message": why})

    def _is_refused(self, resource: str, namespace: str, verb: str) -> bool:
        is_own = namespace == self.namespace and resource in TENANT
        if self.namespace is None or is_own or resource == "version":
            return False
        said = f'{resource} is forbidden: User "{USER}" cannot {verb} resource "{resource}"'
        self._answer(403, {"message": said})
        return True

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _parts(path: str) -> tuple[str, str, str]:
    """The plural, the namespace and the name in a path of the API; empty: there is none."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else parts
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource, name = (*rest, "", "")[:2]
    return resource, namespace, name


@contextmanager
def served(lists: Lists, file: Path, namespace: str | None = None) -> Iterator[None]:
    """A server with these lists, and a kubeconfig for it.

    `namespace` is the only one where its user may do anything, and there what tenants may; None:
    he may do everything.
    """
    handler = type("Handler", (_Handler,), {"lists": lists, "namespace": namespace})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    file.write_text(yaml.safe_dump(kubeconfig(f"http://127.0.0.1:{server.server_port}")))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig(server: str) -> dict[str, Any]:
    """That of somebody with a token."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
