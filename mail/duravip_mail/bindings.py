"""The Bindings, and the rules that assign them: from files, read again when they change.

What is wrong with one entry does not harm another: it is left out and reported. A file that
cannot be read at all leaves everything as it was.
"""

import json
import logging
import os
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
    "name": str, "address": str, "group": str, "suspended": bool, "broken": bool, "managed": bool,
    "aliases": list, "listeners": list,
}  # fmt: skip
_PARAMETER: Final = re.compile(r"[a-z][a-z0-9_]*")
_VALUE: Final = re.compile(r"[^\s{}]([^\r\n{}]*[^\s{}])?")
_KINDS: Final[Mapping[type, str]] = {str: "a text", bool: "a truth value", list: "a list of texts"}
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
            binding = parse_binding(entry)
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


def parse_binding_options(content: bytes) -> Mapping[str, tuple[str, ...]]:
    """By the name of a Binding: Postfix' options for it; raises ValueError, which names both.

    The file is a JSON object `{NAME: {"helo": NAME, "postfix": {PARAMETER: VALUE}}}`.
    """
    listed = _loaded(content)
    if not isinstance(listed, dict):
        raise ValueError("it must be a JSON object")  # noqa: TRY004 - the file is wrong
    return {parse_name(name): tuple(_options(name, given)) for name, given in listed.items()}


def _options(name: str, given: object) -> Iterable[str]:
    if not isinstance(given, dict) or given.keys() - {"helo", "postfix"}:
        raise ValueError(f"{name} must be an object with helo, postfix, or both")
    postfix = given.get("postfix", {})
    if not isinstance(postfix, dict):
        raise ValueError(f"postfix of {name} must be an object")  # noqa: TRY004 - the file is wrong
    helo = {"smtp_helo_name": given["helo"]} if "helo" in given else {}
    for parameter, value in (helo | postfix).items():
        if not _PARAMETER.fullmatch(parameter):
            raise ValueError(f"postfix of {name}: {parameter!r} is no parameter")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ValueError(f"{parameter} of {name} must be a text of one line, without braces")
        yield f"{parameter}={value}"


def _loaded(content: bytes) -> object:
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _entries(content: bytes) -> Iterable[dict[str, Any]]:
    listed = _loaded(content)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ValueError("it must be a JSON list of objects")
    return listed


def parse_binding(entry: Mapping[str, Any]) -> MailBinding:
    """One entry of the file; raises ValueError, which names the field."""
    for field, value in entry.items():
        kind = _FIELDS.get(field)
        if kind is None:
            raise ValueError(f"there is no field {field!r}")
        parts = value if kind is list and type(value) is list else ()
        if type(value) is not kind or not all(isinstance(part, str) for part in parts):
            raise ValueError(f"{field} must be {_KINDS[kind]}")
    name, address = parse_name(entry.get("name", "")), entry.get("address", "")
    return MailBinding(
        name=name,
        address=_canonical(name, "address", address) if address else "",
        group=entry.get("group", ""),
        is_suspended=entry.get("suspended", False),
        is_broken=entry.get("broken", False),
        is_managed=entry.get("managed", True),
        aliases=tuple(parse_name(alias) for alias in entry.get("aliases", ())),
        listeners=tuple(_canonical(name, "listeners", a) for a in entry.get("listeners", ())),
    )


def parse_name(name: str) -> str:
    """The name itself; raises ValueError if no Binding can have it."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or name in RESERVED:
        raise ValueError(f"name {name!r} is none that a Binding can have")
    return name


def write_bindings(path: Path, bindings: Iterable[MailBinding]) -> bool:
    """Replace the file, so that it is there after a crash; whether it was new; raises OSError."""
    entries = ",\n".join(json.dumps(_entry(binding)) for binding in bindings)
    text = f"[\n{entries}\n]\n"
    if path.exists() and path.read_text() == text:
        return False
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return True


def _entry(binding: MailBinding) -> dict[str, Any]:
    fields = {
        "address": binding.address,
        "group": binding.group,
        "suspended": binding.is_suspended,
        "broken": binding.is_broken,
        "aliases": list(binding.aliases),
        "listeners": list(binding.listeners),
    }
    given = {name: value for name, value in fields.items() if value}
    return {"name": binding.name, **given, **({} if binding.is_managed else {"managed": False})}


def _canonical(name: str, field: str, address: str) -> str:
    try:
        return from_int(*parse_to_int(address))
    except ValueError as error:
        raise ValueError(f"{field} of {name}: {error}") from error
