"""A log that grows, is set aside, and begins anew."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duravip_mail.maillog import MAX_LINE_BYTES, MailLog

Opened = Callable[..., MailLog]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens a log, and closes it at the end."""
    logs = []

    def one(path: Path, max_bytes: int = 1 << 20) -> MailLog:
        logs.append(MailLog(path, max_bytes))
        return logs[-1]

    yield one
    for log in logs:
        log.close()


def test_only_what_is_new_is_read_and_only_whole_lines(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "maillog"
    path.write_text("old\n")
    log = opened(path)
    with path.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(log.lines()) == ["one"]
        file.write("o\n")
    assert list(log.lines()) == ["two"]
    assert list(log.lines()) == []


def test_a_log_that_comes_later_is_read_from_its_beginning(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "maillog"
    log = opened(path)
    assert list(log.lines()) == []
    path.write_text("first\n")
    assert list(log.lines()) == ["first"]


def test_a_large_log_is_set_aside_and_nothing_is_missed(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "maillog"
    path.write_text("")
    log = opened(path, max_bytes=10)
    with path.open("a") as file:
        file.write("a line\n")
        file.flush()
        assert list(log.lines()) == ["a line"]
        assert not log.set_aside()
        file.write("another\n")
        file.flush()
        assert log.set_aside()
        assert not log.set_aside()
        assert list(log.lines()) == ["another"]
        file.write("to the old one\n")
    path.write_text("to the new one\n")
    assert list(log.lines()) == ["to the old one", "to the new one"]
    assert (tmp_path / "maillog.1").read_text().startswith("a line\nanother\n")


def test_a_line_without_an_end_is_dropped(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "maillog"
    path.write_text("")
    log = opened(path)
    path.write_text("x" * (3 * MAX_LINE_BYTES) + "\ngood\n")
    assert list(log.lines())[-1] == "good"
