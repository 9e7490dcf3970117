"""Reads YAML as kubectl does: into JSON's types, and with limits.

kubectl reads YAML by go-yaml v2 and hands the API server JSON, and Python's usual loader differs:
for kubectl `y` is true, `1e3` a number, `10:20` and a date are text, a key is always text, and
25.0 is a whole number. What is made of events here has kubectl's types (resolve.go), so that
what is checked is what the server would see.

Nothing is built recursively, and an alias counts as everything it stands for: a hostile file
cannot exhaust the stack or the memory.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

import yaml

MAX_BYTES: Final = 32 * 1024**2
MAX_DOCUMENTS: Final = 50_000
MAX_VALUES: Final = 2_000_000
"""In one file; those of an alias count each time it is used."""
MAX_DEPTH: Final = 64
"""No kind of ours, and no List of them, is deeper than ten."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUE: Final = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE: Final = frozenset(
    ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]
)
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_SPECIAL: Final = re.compile(r"[-+]?\.inf|[-+]?\.Inf|[-+]?\.INF|\.nan|\.NaN|\.NAN")
_DATE: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?")
_INTEGER: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)", re.ASCII
)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_STARTS_A_NUMBER: Final = frozenset("0123456789+-.")
_LARGEST: Final = 2**64
_WHOLE: Final = 1e18
_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = "<<"


class UnreadableError(Exception):
    """kubectl would refuse the text, or it exceeds a limit; the message is one line."""


@dataclass(slots=True)
class _Collection:
    """A list or a mapping that has not ended yet."""

    value: Any
    anchor: str | None
    size: int = 1
    key: Any = None
    has_key: bool = False
    merged: list[Any] = field(default_factory=list)


class _Document:
    """Builds the value of one document from its events."""

    def __init__(self) -> None:
        self._stack: list[_Collection] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self.value: Any = None
        self.size = 0

    def take(self, event: Any) -> None:
        """Handle the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._put(_scalar(event), 1, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                why = f"the anchor {event.anchor!r} stands for nothing"
                raise UnreadableError(f"{_line(event)}{why}")
            self._put(*self._anchors[event.anchor], None)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if len(self._stack) >= MAX_DEPTH:
                raise UnreadableError(f"{_line(event)}deeper than {MAX_DEPTH} levels")
            self._anchors.pop(str(event.anchor), None)  # it may not contain itself
            value: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self._stack.append(_Collection(value, event.anchor))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self._stack.pop()
            for more in done.merged:
                done.value = {**more, **done.value}
            self._put(done.value, done.size, done.anchor)

    def _put(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = value, size
        if not self._stack:
            self.value, self.size = value, size
            return
        top = self._stack[-1]
        top.size += size
        if top.size > MAX_VALUES:
            raise UnreadableError(f"it stands for more than {MAX_VALUES} values")
        if isinstance(top.value, list):
            top.value.append(value)
        elif not top.has_key:
            top.key, top.has_key = value, True
        else:
            top.has_key = False
            self._set(top, value)

    @staticmethod
    def _set(top: _Collection, value: Any) -> None:
        if top.key is _MERGE:
            several = value if isinstance(value, list) else [value]
            if not all(isinstance(one, dict) for one in several):
                raise UnreadableError("what is merged by << must be a mapping")
            top.merged += several
        else:
            top.value[_key(top.key)] = value


def parse_documents(text: str) -> Iterator[Any]:
    """Each document of a text; raises UnreadableError."""
    if len(text) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1024**2} MiB")
    count = size = 0
    document = _Document()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentEndEvent):
                count, size = count + 1, size + document.size
                if count > MAX_DOCUMENTS:
                    raise UnreadableError(f"more than {MAX_DOCUMENTS} documents")
                if size > MAX_VALUES:
                    raise UnreadableError(f"it stands for more than {MAX_VALUES} values")
                yield document.value
                document = _Document()
            else:
                document.take(event)
    except yaml.YAMLError as error:
        raise UnreadableError(_message(error)) from error


def is_plain_text(text: str) -> bool:
    """Whether an unquoted word is text, and not a number, a truth value or nothing."""
    if text in _NULL | _TRUE | _FALSE or text == _MERGE or _SPECIAL.fullmatch(text):
        return False
    if text[0] not in _STARTS_A_NUMBER or _DATE.fullmatch(text):
        return True
    return isinstance(_number(_without_underscores(text), text), str)


def _scalar(event: Any) -> Any:
    text = str(event.value)
    is_plain, _ = event.implicit
    if is_plain and event.tag is None:
        return _plain(text, event)
    if event.tag in {None, "!", f"{_TAG}str"}:
        return text
    return _tagged(str(event.tag), text, event)


def _plain(text: str, event: Any) -> Any:
    """An unquoted word, without a tag."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text == _MERGE:
        return _MERGE  # the constant itself: quoted, it is an ordinary key
    if _SPECIAL.fullmatch(text):
        raise UnreadableError(f"{_line(event)}JSON has no number {text}")
    if text[0] in _STARTS_A_NUMBER and not _DATE.fullmatch(text):
        return _number(_without_underscores(text), text)
    return text


def _without_underscores(text: str) -> str:
    return text.replace("_", "") if text[0] != "." else text


def _number(plain: str, text: str) -> Any:
    if _INTEGER.fullmatch(plain):
        sign = -1 if plain.startswith("-") else 1
        digits = plain.lstrip("+-")
        is_octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
        number = sign * int(digits, 8 if is_octal else 0)
        if -_LARGEST // 2 <= number < _LARGEST:
            return number
    if _FLOAT.fullmatch(plain):
        value = float(plain)  # without a fraction it is written as a whole number in JSON
        return int(value) if value.is_integer() and abs(value) < _WHOLE else value
    return text


def _tagged(tag: str, text: str, event: Any) -> Any:
    kind = tag.removeprefix(_TAG)
    value = _plain(text, event)
    kinds = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (NoneType,)}
    if kind in kinds and type(value) in kinds[kind]:
        return value
    if kind in {*kinds, "binary"}:
        raise UnreadableError(f"{_line(event)}cannot be read as !!{kind}: {text[:40]!r}")
    return text


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None or isinstance(key, (list, dict)):
        raise UnreadableError("a key must be text")
    return str(key)


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}: "


def _message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}{getattr(error, 'problem', None) or 'cannot be read as YAML'}"
