"""A log that grows, is set aside, and begins anew."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duravip_mail.maillog import MAX_LINE_BYTES, MailLog, dated_lines, time_of

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


NOW = time.mktime((2026, 1, 2, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("stamp", "year"),
    [("Jan  2 11:00:00", 2026), ("Jan  2 13:00:00", 2026), ("Dec 31 23:59:59", 2025)],
)
def test_a_line_is_of_the_last_twelve_months(stamp: str, year: int) -> None:
    when = time_of(f"{stamp} n1 postfix/qmgr[1]: x", NOW)
    assert when is not None
    assert time.strftime("%Y %b %e %H:%M:%S", time.localtime(when)) == f"{year} {stamp}"


@pytest.mark.parametrize("line", ["", "no time at all", "Feb 30 10:00:00 x"])
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert time_of(line, NOW) is None


def test_lines_come_with_their_time_and_those_that_are_too_old_do_not(tmp_path: Path) -> None:
    (tmp_path / "maillog.1").write_text("Jan  2 10:00:00 old\nJan  2 11:30:00 a\nnonsense\n")
    (tmp_path / "maillog").write_text("Jan  2 11:40:00 b\n")
    found = list(dated_lines(tmp_path / "maillog", NOW - 3600, NOW))
    assert found == [(NOW - 1800, "Jan  2 11:30:00 a"), (NOW - 1200, "Jan  2 11:40:00 b")]
    assert list(dated_lines(tmp_path / "nothing", 0, NOW)) == []
