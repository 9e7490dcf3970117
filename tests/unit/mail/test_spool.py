"""The queue as it lies on the disk."""

import shutil
from pathlib import Path

import pytest

from duravip_mail.spool import Spool

FILES = Path(__file__).with_name("queue_files")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for queue in ("deferred/A", "active", "hold"):
        (tmp_path / queue).mkdir(parents=True)
    return tmp_path


def put(folder: Path, queue: str, name: str, file: str = "handed-over", mode: int = 0o700) -> Path:
    path = folder / queue / name
    shutil.copy(FILES / file, path)
    path.chmod(mode)
    return path


def test_messages_are_found_in_all_queues_with_their_routes(folder: Path) -> None:
    put(folder, "deferred/A", "4jdVAAA")
    put(folder, "active", "4jdVBBB", "delivered-here")
    put(folder, "hold", "4jdVCCC", "without-binding")
    found = {(m.queue_id, m.queue, m.route) for m in Spool(folder).messages()}
    assert found == {
        ("4jdVAAA", "deferred", "mmove:[127.1.1.2]:2526"),
        ("4jdVBBB", "active", "b-foo:"),
        ("4jdVCCC", "hold", ""),
    }


def test_a_file_that_is_not_complete_is_no_message(folder: Path) -> None:
    put(folder, "active", "4jdVAAA", mode=0o600)
    assert Spool(folder).messages() == []


def test_a_file_that_is_known_is_not_read_again(folder: Path) -> None:
    path = put(folder, "deferred/A", "4jdVAAA")
    spool = Spool(folder)
    before = spool.messages()
    path.write_bytes(b"")
    assert spool.messages() == before
    path.unlink()
    assert spool.messages() == []
    put(folder, "deferred/A", "4jdVAAA", "delivered-here")
    assert [m.route for m in spool.messages()] == ["b-foo:"]


def test_without_a_queue_there_are_no_messages(tmp_path: Path) -> None:
    assert Spool(tmp_path / "none").messages() == []
