"""Inputs made from others at random; the same for the same source of chance."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

_BYTES: Final = (0, 1, 2, 4, 7, 8, 16, 0x7F, 0x80, 0xFE, 0xFF)
_COUNTS: Final = (0, 1, 2, 3, 4, 8, 0x7FFF, 0xFFFF, 0xFFFFFFFF)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31 - 2, 2**31, 2**63 - 1, 2**63, -(2**63), 2**128),
    *(0.0, -1.5, 1e300, float("nan"), float("inf"), "", "x", "\x00", "\x1b[2J", "\ud800", "é"),
    *("n2", "another", "10.1.1.1", "fe80::1%eth0", "../..", "x" * 300, [], [[]], {}, [0] * 20),
)
_PIECES: Final = (
    "-",
    ",",
    "/",
    "0",
    "255",
    "::",
    ".",
    ":",
    " ",
    "\n",
    "\x7f",
    "10.1.1.1-10.1.255.255",
)
"""What texts that we read are put together from."""


def mutated(example: bytes, others: list[bytes], chance: Random, longest: int) -> bytes:
    """An input like this one, with parts of others perhaps."""
    data = example
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        data = _changed(data, others, chance)[:longest]
    return data


def _changed(data: bytes, others: list[bytes], chance: Random) -> bytes:
    if chance.random() < 0.5 and (found := _as_object(data)) is not None:
        return _with_other_values(data, *found, chance)
    at, to = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
    return data[:at] + chance.choice(_EDITS)(data[at:], to - at, others, chance)


Edit = Callable[[bytes, int, list[bytes], Random], bytes]
"""What becomes of the rest of an input; the number says where a part of it ends."""


def _flip(rest: bytes, _: int, __: list[bytes], chance: Random) -> bytes:
    return bytes(byte ^ (1 << chance.randrange(8)) for byte in rest[:1]) + rest[1:]


def _replace(rest: bytes, _: int, __: list[bytes], chance: Random) -> bytes:
    return bytes((chance.choice(_BYTES),)) + rest[1:]


def _remove(rest: bytes, end: int, _: list[bytes], __: Random) -> bytes:
    return rest[end:]


def _cut(*_: object) -> bytes:
    return b""


def _repeat(rest: bytes, end: int, _: list[bytes], chance: Random) -> bytes:
    return rest[:end] * chance.choice((2, 3, 50)) + rest[end:]


def _insert(rest: bytes, _: int, __: list[bytes], chance: Random) -> bytes:
    return chance.randbytes(chance.choice((1, 2, 4, 8, 64))) + rest


def _splice(_: bytes, __: int, others: list[bytes], chance: Random) -> bytes:
    other = chance.choice(others)
    return other[chance.randrange(len(other) + 1) :]


def _count(rest: bytes, _: int, __: list[bytes], chance: Random) -> bytes:
    """A length, or a kind, as binary formats have them."""
    size = chance.choice((2, 4))
    number = chance.choice(_COUNTS) & ((1 << 8 * size) - 1)
    return number.to_bytes(size, "little") + rest[size:]


_EDITS: Final[tuple[Edit, ...]] = (
    *(_flip, _replace, _remove, _cut),
    *(_repeat, _insert, _splice, _count),
)


def _as_object(data: bytes) -> tuple[int, dict[str, Any]] | None:
    """Where a JSON object begins that reaches to the end, and the object."""
    at = data.find(b"{")
    if at < 0:
        return None
    try:
        found = json.loads(data[at:])
    except (ValueError, RecursionError):
        return None
    return (at, found) if isinstance(found, dict) else None


def _with_other_values(data: bytes, at: int, values: dict[str, Any], chance: Random) -> bytes:
    inside = chance.choice(list(_containers(values)))
    if isinstance(inside, list):
        _change_list(inside, chance)
    else:
        name = chance.choice([*inside, "new"])
        match chance.randrange(4):
            case 0:
                inside.pop(name, None)
            case 1:
                inside[name] = [inside.get(name)] * chance.choice((1, 8, 9))
            case 2 if inside is values:
                depth = chance.choice((1, 50, 600))
                return data[:at] + json.dumps(values).encode()[:-1] + b',"deep":' + b"[" * depth
            case _:
                inside[name] = _other_value(inside.get(name), [*inside.values()], chance)
    return data[:at] + json.dumps(values, separators=(",", ":")).encode()


def _containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """An object and all objects and lists in it; an empty list has nothing to be changed."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, list) and value:
        yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _change_list(values: list[Any], chance: Random) -> None:
    place = chance.randrange(len(values))
    match chance.randrange(4):
        case 0:
            del values[place]
        case 1:
            values[:] = values * chance.choice((2, 9))
        case 2:
            values.append(_other_value(values[place], values, chance))
        case _:
            values[place] = _other_value(values[place], values, chance)


def _other_value(value: Any, others: list[Any], chance: Random) -> Any:
    """Anything, or for a text often one that is much like it."""
    if isinstance(value, str) and value and chance.random() < 0.6:
        at = chance.randrange(len(value))
        piece = chance.choice(("", *_PIECES, chr(chance.randrange(32, 127))))
        return value[:at] + piece + value[at + chance.choice((0, 1, 2)) :]
    return chance.choice((*_VALUES, *others))
