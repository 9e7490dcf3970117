"""What comes over the WebSocket of a command in a pod, and how the API server refuses one."""

import json
from collections.abc import Iterator

import pytest
from kubernetes.client.exceptions import ApiException

from duravip_cli import exec_stream
from duravip_cli.cluster import to_command_error
from duravip_cli.exec_stream import ExecError, read_answer, to_refusal


class FakeSocket:
    """Brings the parts of an answer one by one, each `(standard output, standard error)`."""

    def __init__(self, *parts: tuple[str, str], code: int = 0) -> None:
        self._parts: Iterator[tuple[str, str]] = iter(parts)
        self._left = len(parts)
        self._out = self._err = ""
        self.returncode = code

    def is_open(self) -> bool:
        return self._left > 0

    def update(self, timeout: float) -> None:
        assert timeout > 0
        self._left -= 1
        out, err = next(self._parts)
        self._out, self._err = self._out + out, self._err + err

    def peek_stdout(self) -> str:
        return self._out

    def peek_stderr(self) -> str:
        return self._err

    def read_stdout(self, timeout: float) -> str:
        assert timeout == 0
        out, self._out = self._out, ""
        return out

    def read_stderr(self, timeout: float) -> str:
        assert timeout == 0
        err, self._err = self._err, ""
        return err


def test_what_is_printed_comes_in_parts() -> None:
    assert read_answer(FakeSocket(("[1,", ""), ("", "a warning\n"), ("2]", ""))) == "[1,2]"


def test_a_command_that_fails_is_told_by_its_last_line() -> None:
    failed = FakeSocket(("half", ""), ("", "one\nduravip-mail: there is no binding x\n"), code=1)
    with pytest.raises(ExecError, match=r"^there is no binding x$"):
        read_answer(failed)
    with pytest.raises(ExecError, match="it ends with 137"):
        read_answer(FakeSocket(code=137))


def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_stream, "MAX_BYTES", 10)
    with pytest.raises(ExecError, match="it says too much"):
        read_answer(FakeSocket(("x" * 6, ""), ("", "y" * 5), ("", "")))
    monkeypatch.setattr(exec_stream, "TIMEOUT_S", -1.0)
    with pytest.raises(ExecError, match="it has not answered"):
        read_answer(FakeSocket(("", ""), ("", "")))


class HandshakeError(Exception):
    """As the library of WebSockets raises it."""

    def __init__(self, status_code: int, resp_body: bytes) -> None:
        super().__init__(f"Handshake status {status_code}")
        self.status_code, self.resp_body = status_code, resp_body


def refused(status: int, body: bytes) -> ApiException:
    """As the client raises it."""
    raised = ApiException(status=0, reason=f"Handshake status {status}")
    raised.__context__ = HandshakeError(status, body)
    return raised


def test_who_may_not_run_anything_there_is_told_so() -> None:
    message = 'pods "p" is forbidden: User "mallory" cannot create resource "pods/exec"'
    error = to_refusal(refused(403, json.dumps({"message": message}).encode()))
    assert error.status == 403
    assert str(to_command_error("run it", error)) == "you may not run it (as mallory)"


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
def test_a_refusal_without_a_reason_is_one_too(body: bytes) -> None:
    error = to_refusal(refused(502, body))
    assert error.status == 502
    assert "cannot run it: 502" in str(to_command_error("run it", error))


def test_an_error_that_is_no_refusal_stays_as_it_is() -> None:
    raised = ApiException(status=0, reason="no route to host")
    assert to_refusal(raised) is raised
