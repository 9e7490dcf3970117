"""The Bindings, and the rules that assign them: from files, read again when they change.

What is wrong with one entry does not harm another: it is left out and reported. A file that
cannot be read at all leaves everything as it was.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from duravip_api.addresses import from_int, parse_to_int
from duravip_mail.core.assigning import AssignRule
from duravip_mail.core.queue_summary import DEFAULT, MMOVE
from duravip_mail.core.world import MailBinding

log = logging.getLogger(__name__)

RESERVED: Final = frozenset({DEFAULT, MMOVE})
MAX_NAME: Final = 253
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_FIELDS: Final[Mapping[str, type]] = {
    "name": str, "address": str, "group": str, "suspended": bool, "broken": bool,
}  # fmt: skip
_RULE_FIELDS: Final = ("sender", "listener", "user", "binding", "group")


class BindingsFile:
    """A file with a JSON list of Bindings, watched by its time stamp."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._current: tuple[MailBinding, ...] = ()
        self._complaint = ""

    def read(self) -> tuple[MailBinding, ...]:
        """The Bindings as the file has them now, or had them when it could last be read."""
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._current, problems = parse_bindings(self._path.read_bytes())
                self._stamp = stamp
                for problem in problems:
                    log.warning("%s: %s", self._path, problem)
        except FileNotFoundError:
            self._complain("there is none yet")
        except (OSError, ValueError) as error:
            self._complain(str(error))
        else:
            self._complaint = ""
        return self._current

    def _complain(self, what: str) -> None:
        if what != self._complaint:
            log.warning("cannot read the bindings in %s, keeping the last: %s", self._path, what)
        self._complaint = what


def parse_bindings(content: bytes) -> tuple[tuple[MailBinding, ...], list[str]]:
    """The Bindings of a file, and what is wrong with the others; raises ValueError.

    A name with two addresses is broken: nobody can say which of them is meant.
    """
    found: dict[str, MailBinding] = {}
    problems = []
    for number, entry in enumerate(_entries(content), 1):
        try:
            binding = _binding(entry)
        except ValueError as error:
            problems.append(f"entry {number} is ignored: {error}")
            continue
        other = found.get(binding.name, binding)
        if other.address != binding.address:
            problems.append(f"binding {binding.name} has two addresses: its mail waits")
            binding = MailBinding(binding.name, other.address, is_broken=True)
        found[binding.name] = binding
    return tuple(found[name] for name in sorted(found)), problems


def parse_rules(content: bytes) -> tuple[AssignRule, ...]:
    """The rules of a file; raises ValueError, which names the rule and the field."""
    rules = []
    for number, entry in enumerate(_entries(content), 1):
        unknown = entry.keys() - set(_RULE_FIELDS)
        if unknown:
            raise ValueError(f"rule {number}: there is no field {min(unknown)!r}")
        if bad := [name for name, value in entry.items() if not isinstance(value, str)]:
            raise ValueError(f"rule {number}: {bad[0]} must be a text")
        if bool(entry.get("binding")) == bool(entry.get("group")):
            raise ValueError(f"rule {number}: must have binding or group, and not both")
        rules.append(AssignRule(**entry))
    return tuple(rules)


def _entries(content: bytes) -> Iterable[dict[str, Any]]:
    try:
        listed = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ValueError("it must be a JSON list of objects")
    return listed


def _binding(entry: dict[str, Any]) -> MailBinding:
    for field, value in entry.items():
        kind = _FIELDS.get(field)
        if kind is None:
            raise ValueError(f"there is no field {field!r}")
        if type(value) is not kind:
            raise ValueError(f"{field} must be a {'text' if kind is str else 'truth value'}")
    name, address = entry.get("name", ""), entry.get("address", "")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or name in RESERVED:
        raise ValueError(f"name {name!r} is none that a Binding can have")
    try:
        canonical = from_int(*parse_to_int(address)) if address else ""
    except ValueError as error:
        raise ValueError(f"address of {name}: {error}") from error
    return MailBinding(
        name=name,
        address=canonical,
        group=entry.get("group", ""),
        is_suspended=entry.get("suspended", False),
        is_broken=entry.get("broken", False),
    )
