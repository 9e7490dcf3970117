"""Runs a command in a container: `kubectl exec`, over a WebSocket."""

import json
import time
from collections.abc import Sequence
from typing import Any, Final

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

TIMEOUT_S: Final = 30.0
MAX_BYTES: Final = 64 << 20
"""Of an answer: whoever has a node may say anything."""


class ExecError(Exception):
    """The command failed, or its answer did not come; the message is one line."""


def run_in_pod(
    client: ApiClient, namespace: str, pod: str, container: str, command: Sequence[str]
) -> str:
    """What the command printed; raises ApiException if it may not be run, and ExecError."""
    # They take half a second to import.
    from kubernetes.client import CoreV1Api  # noqa: PLC0415
    from kubernetes.stream import stream  # noqa: PLC0415

    try:
        socket: Any = stream(
            CoreV1Api(client).connect_get_namespaced_pod_exec,
            pod, namespace, container=container, command=list(command), stdout=True, stderr=True,
            _preload_content=False, _request_timeout=TIMEOUT_S,
        )  # fmt: skip
    except ApiException as error:
        raise to_refusal(error) from error
    try:
        return read_answer(socket)
    finally:
        socket.close()


def read_answer(socket: Any) -> str:
    """What came over the WebSocket of a command, once that has ended; raises ExecError."""
    until = time.monotonic() + TIMEOUT_S
    printed = complaints = ""
    while socket.is_open():
        socket.update(timeout=1)
        printed += str(socket.read_stdout(timeout=0)) if socket.peek_stdout() else ""
        complaints += str(socket.read_stderr(timeout=0)) if socket.peek_stderr() else ""
        if len(printed) + len(complaints) > MAX_BYTES:
            raise ExecError("it says too much")
        if time.monotonic() > until:
            raise ExecError(f"it has not answered within {TIMEOUT_S:.0f} s")
    printed += str(socket.read_stdout(timeout=0))
    complaints += str(socket.read_stderr(timeout=0))
    if socket.returncode:
        last = (complaints.strip().splitlines() or [f"it ends with {socket.returncode}"])[-1]
        raise ExecError(last.removeprefix("duravip-mail: "))
    return printed


def to_refusal(error: ApiException) -> ApiException:
    """The API server's own answer, which the client hides in the error of the WebSocket."""
    cause: Any = error.__context__
    status = getattr(cause, "status_code", 0)
    if not status:
        return error
    refusal = ApiException(status=status, reason=str(error.reason))
    body = getattr(cause, "resp_body", b"") or b""
    try:
        json.loads(body)
    except ValueError:
        return refusal
    refusal.body = body.decode(errors="replace")
    return refusal
