"""Which files are hooks, and in which order."""

import stat

import pytest

from duravip_hooks.core.hook_files import FolderEntry, hook_files, is_writable_by_all

FILE = stat.S_IFREG | 0o755


def test_they_run_in_the_order_of_their_names() -> None:
    names = ("20.sip", "10.web", "05.dns_2", "10.a-b")
    found = hook_files(FolderEntry(name, FILE) for name in names)
    assert found.hooks == ("05.dns_2", "10.a-b", "10.web", "20.sip")
    assert found.ignored == {}


@pytest.mark.parametrize(
    "name",
    [
        "10.web~",
        "10.web.dpkg-old",
        "web",
        "1.web",
        "100.web",
        "10.",
        ".10.web",
        "10.we b",
        "10-web",
        "10.web\n",
        "\u0661\u0660.web",
    ],
)
def test_what_editors_and_package_managers_leave_is_ignored(name: str) -> None:
    found = hook_files([FolderEntry(name, FILE)])
    assert not found.hooks
    assert "NN.NAME" in found.ignored[name]


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (stat.S_IFREG | 0o644, "not executable"),
        (stat.S_IFREG | 0o757, "everybody may write"),
        (stat.S_IFDIR | 0o755, "no file"),
        (stat.S_IFIFO | 0o755, "no file"),
        (0, "no file"),
    ],
)
def test_what_cannot_or_must_not_run_is_ignored(mode: int, why: str) -> None:
    found = hook_files([FolderEntry("10.web", mode), FolderEntry("20.sip", FILE)])
    assert found.hooks == ("20.sip",)
    assert why in found.ignored["10.web"]


def test_a_group_may_write_to_a_hook_and_everybody_may_not() -> None:
    assert hook_files([FolderEntry("10.web", stat.S_IFREG | 0o770)]).hooks == ("10.web",)
    assert is_writable_by_all(stat.S_IFDIR | 0o1777)
    assert not is_writable_by_all(stat.S_IFDIR | 0o775)
