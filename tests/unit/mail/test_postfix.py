"""The files of a Postfix instance, and that it is not taken for another process."""

import os
from getpass import getuser
from pathlib import Path

import pytest

from duravip_mail.postfix import Postfix, PostfixError


@pytest.fixture
def postfix(tmp_path: Path) -> Postfix:
    for name in ("etc", "spool/pid", "spool/public"):
        (tmp_path / name).mkdir(parents=True)
    return Postfix(tmp_path)


def test_a_file_is_written_only_if_it_is_new(postfix: Postfix) -> None:
    assert postfix.write_config("main.cf", "a = b\n")
    assert not postfix.write_config("main.cf", "a = b\n")
    assert postfix.write_config("main.cf", "a = c\n")
    assert (postfix.etc / "main.cf").read_text() == "a = c\n"


@pytest.mark.parametrize("parts", [(), ("lmdb",)], ids=["Debian 13", "Debian 12"])
def test_it_takes_over_which_libraries_read_which_tables(
    postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    system = tmp_path / "system"
    system.mkdir()
    (system / "dynamicmaps.cf").write_text("lmdb\n")
    for part in parts:
        (system / "dynamicmaps.cf.d").mkdir()
        (system / "dynamicmaps.cf.d" / part).write_text("lmdb\n")
    monkeypatch.setattr("duravip_mail.postfix.SYSTEM", system)
    monkeypatch.setattr("duravip_mail.postfix.USER", getuser())
    for _ in range(2):  # it is started again and again
        postfix.prepare()
    assert (postfix.etc / "dynamicmaps.cf").read_text() == "lmdb\n"
    found = sorted(path.name for path in postfix.etc.glob("dynamicmaps.cf.d/*"))
    assert found == [*parts]


@pytest.mark.parametrize("content", ["", "no number", "0", "999999999"])
def test_without_a_master_it_does_not_run(postfix: Postfix, content: str) -> None:
    (postfix.spool / "pid/master.pid").write_text(content)
    assert not postfix.is_running()


def test_a_number_that_is_another_program_s_is_not_the_master(postfix: Postfix) -> None:
    (postfix.spool / "pid/master.pid").write_text(f"{os.getpid():14d}\n")
    assert not postfix.is_running()
    postfix.reload()  # and it gets no signal


def test_the_rows_of_a_table_outlive_the_program(postfix: Postfix) -> None:
    assert postfix.rows_of("assigned") == ()
    (postfix.etc / "assigned").write_text("a/1\tFILTER b-a:\nb/2\tFILTER b-b:\n")
    assert Postfix(postfix.folder).rows_of("assigned") == ["a/1", "b/2"]


def test_what_a_program_says_when_it_fails_is_passed_on(postfix: Postfix) -> None:
    with pytest.raises(PostfixError, match="postmap"):
        postfix.write_table("routes", {"a": "FILTER b-a:"})  # there is no main.cf


def test_daemons_that_are_not_there_are_no_error(postfix: Postfix) -> None:
    postfix.forget_failures()
    postfix.retry(())
