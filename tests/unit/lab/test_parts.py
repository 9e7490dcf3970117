"""The lab's parts that need neither root nor a kernel's help."""

from pathlib import Path

import pytest

from lab import programs, requirements
from lab.__main__ import parser
from lab.cgroups import Groups, hierarchies, remove
from lab.errors import LabError
from lab.layout import Layout, mac, node_nics
from lab.requirements import API, FULL


@pytest.mark.parametrize("name", ["", "Lab", "a.b", "1st", "a" * 25, "../x"])
def test_a_name_that_cannot_be_part_of_other_names_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot call a lab"):
        Layout(name)


def test_the_mark_of_a_lab_is_no_beginning_of_anothers() -> None:
    assert not Layout("a-b").namespace("n1").startswith(Layout("a").mark + ".")


def test_a_card_keeps_its_address_and_shares_it_with_no_other() -> None:
    cards = [mac(f"n{number}", nic) for number in range(80) for nic in ("eth0", "eth1")]
    assert len(set(cards)) == 160
    assert all(card.startswith("02:") for card in cards)


def test_nodes_are_where_everybody_expects_them() -> None:
    control, segment = node_nics(2)
    assert control.addresses == ("10.77.0.12/24",)
    assert segment.addresses == ("10.1.0.12/16", "fd00:1::12/64")


def test_a_missing_program_is_named_by_its_package(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    needs = {str(there): "one", str(tmp_path / "not"): "two", "no-such-program": "three"}
    assert requirements.packages(needs) == ["three", "two"]


def test_the_full_size_needs_all_that_the_small_one_needs() -> None:
    assert API.items() <= FULL.items()


def test_a_missing_compiler_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"install Go 1\.26 or newer"):
        programs.go_version()


def test_an_old_compiler_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"Go 1\.26 or newer is needed, not go1\.19\.8"):
        programs.go_version()


def test_groups_of_version_one_are_one_folder_per_controller(tmp_path: Path) -> None:
    for controller in ("cpuset", "freezer"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "tasks").touch()
    (tmp_path / "unified").mkdir()
    for setting, value in (("cpuset.cpus", "0-1"), ("cpuset.mems", "0")):
        (tmp_path / "cpuset" / setting).write_text(value)
    groups = Groups(Layout("a"), "n1", tmp_path)
    groups.create()
    assert groups.mounts == ["cpuset", "freezer"]
    assert (tmp_path / "cpuset/duravip.a/cpuset.mems").read_text() == "0"
    assert (tmp_path / "cpuset/duravip.a/n1/cpuset.cpus").read_text() == "0-1"
    assert not groups.freeze()  # nothing to freeze by: this is no real control group


def test_groups_of_version_two_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    assert hierarchies(tmp_path) == [tmp_path]
    assert Groups(Layout("a"), "n1", tmp_path).mounts == ["2"]


def test_a_group_that_stays_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy/file").touch()
    with pytest.raises(LabError, match="busy"):
        remove([tmp_path / "busy"], patience=0)


def test_every_command_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    text = capsys.readouterr().out
    for command in ("up", "down", "status", "exec", "crash", "power-on", "cable", "freeze", "cut"):
        assert f"  {command} " in text
