"""Which files of the folder are hooks, and in which order they run.

A hook is an executable file `NN.NAME`, as in CTDB's folders: two digits give its place. What
editors and package managers leave behind is no hook: backups (`10.web~`), names with a second dot
(`10.web.dpkg-old`). Nor is a file that everybody may write to: who edits it acts as the user whom
the hooks run as.
"""

import re
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_NAME = re.compile(r"[0-9]{2}\.[A-Za-z0-9_-]+")


class FolderEntry(NamedTuple):
    """A file of the folder: what a link leads to, where it is one."""

    name: str
    mode: int
    """Its kind and rights, as `stat` gives them."""


class HookFiles(NamedTuple):
    """What is in the folder."""

    hooks: tuple[str, ...]
    """In the order in which they run."""
    ignored: Mapping[str, str]
    """By name, why it is no hook."""


def hook_files(entries: Iterable[FolderEntry]) -> HookFiles:
    """Sort out what is in the folder."""
    found = {entry.name: _objection(entry) for entry in sorted(entries)}
    hooks = tuple(name for name, why in found.items() if not why)
    return HookFiles(hooks, {name: why for name, why in found.items() if why})


def is_writable_by_all(mode: int) -> bool:
    """Whether everybody on the machine may write to a file, or make files in a folder."""
    return bool(mode & stat.S_IWOTH)


def _objection(entry: FolderEntry) -> str:
    if not stat.S_ISREG(entry.mode):
        return "it is no file"
    if not _NAME.fullmatch(entry.name):
        return "its name is not NN.NAME, two digits and one dot"
    if not entry.mode & 0o111:
        return "it is not executable"
    if is_writable_by_all(entry.mode):
        return "everybody may write to it"
    return ""
