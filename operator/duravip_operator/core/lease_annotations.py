"""The leader's settings and quarantines, published as two annotations of its Lease.

The leader decides by them, and no other program can know them; `kubectl duravip` parses them to
decide as the leader does. The Lease is renewed all the time anyway, so this costs no write. The
size is bounded, and a list that had to be cut says so (`isComplete`).
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from duravip_api import GROUP
from duravip_api.addresses import Range, format_ranges, merge_ranges, parse_range, to_int
from duravip_operator.core.snapshot import Fencing

SETTINGS_ANNOTATION: Final = f"{GROUP}/settings"
"""The annotation that carries the settings, as JSON."""
QUARANTINE_ANNOTATION: Final = f"{GROUP}/quarantine"
"""The annotation that carries quarantined addresses and untrusted nodes, as JSON."""

MAX_RANGES, MAX_NODES = 128, 256
"""At most this many ranges of addresses, and nodes, are listed: about 8 KiB."""
MAX_ANNOTATION_CHARS: Final = 65536
"""No operator writes a longer annotation, so a longer one is not parsed."""

Until = Mapping[tuple[str, str], str]
"""`{(address, node): when the address is tried there again}`, as API times."""


class QuarantinedRanges(NamedTuple):
    """Addresses that are in quarantine on one node until the same moment."""

    node: str
    until: str
    addresses: tuple[Range, ...]


class PublishedState(NamedTuple):
    """The parsed content of both annotations."""

    max_aliases: int
    fencing: Fencing
    quarantines: tuple[QuarantinedRanges, ...]
    untrusted: frozenset[str]
    ignores_exclude_label: bool
    is_complete: bool
    """Whether no address or node had to be left out."""

    def quarantined(self, addresses: Iterable[str]) -> tuple[dict[str, frozenset[str]], Until]:
        """`({address: nodes}, when each quarantine ends)`, of these addresses."""
        quarantined: dict[str, frozenset[str]] = {}
        until: dict[tuple[str, str], str] = {}
        for address in addresses if self.quarantines else ():
            for node, when, listed in self.quarantines:
                if _holds(listed, *to_int(address)):
                    quarantined[address] = quarantined.get(address, frozenset()) | {node}
                    until[address, node] = when
        return quarantined, until


def format_settings(values: Mapping[str, Any]) -> str:
    """The text of SETTINGS_ANNOTATION."""
    return json.dumps(dict(values), sort_keys=True)


def format_quarantine(
    given_up: Mapping[str, frozenset[str]], until: Until, distrusted: Iterable[str]
) -> str:
    """The text of QUARANTINE_ANNOTATION, cut to `MAX_RANGES` and `MAX_NODES`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for address, nodes in given_up.items():
        for node in sorted(nodes):
            groups.setdefault((node, until.get((address, node), "")), []).append(address)
    left, is_complete = MAX_RANGES, True
    listed: list[dict[str, Any]] = []
    for (node, when), addresses in sorted(groups.items()):
        named = format_ranges(addresses)
        is_complete &= len(named) <= left
        if left:
            listed.append({"node": node, "until": when, "addresses": named[:left]})
        left -= min(left, len(named))
    contradicting = sorted(distrusted)
    content = {
        "givenUp": listed,
        "distrusted": contradicting[:MAX_NODES],
        "isComplete": is_complete and len(contradicting) <= MAX_NODES,
    }
    return json.dumps(content, sort_keys=True)


def parse_lease(annotations: Mapping[str, Any]) -> PublishedState | None:
    """The state that a Lease's annotations publish; None if they cannot be parsed."""
    try:
        settings = _parsed(annotations, SETTINGS_ANNOTATION)
        quarantine = _parsed(annotations, QUARANTINE_ANNOTATION)
        return PublishedState(
            max_aliases=int(settings["maxAliases"]),
            fencing="Strict" if settings["fencing"] == "Strict" else "Segment",
            quarantines=tuple(_quarantine(item) for item in quarantine["givenUp"][:MAX_RANGES]),
            untrusted=frozenset(str(node) for node in quarantine["distrusted"][:MAX_NODES]),
            ignores_exclude_label=settings.get("ignoreExcludeLabel") is True,
            is_complete=quarantine["isComplete"] is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def published_version(annotations: Mapping[str, Any]) -> str:
    """The version of the program that leads; empty if it is not published."""
    try:
        return str(_parsed(annotations, SETTINGS_ANNOTATION)["version"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _parsed(annotations: Mapping[str, Any], name: str) -> Any:
    """What an annotation says; raises ValueError or RecursionError, also if there is none."""
    text = str(annotations.get(name) or "")
    if len(text) > MAX_ANNOTATION_CHARS:
        raise ValueError(f"{name} is too long")
    return json.loads(text)


def _quarantine(item: Mapping[str, Any]) -> QuarantinedRanges:
    listed = merge_ranges(parse_range(str(text)) for text in item["addresses"][:MAX_RANGES])
    return QuarantinedRanges(str(item["node"]), str(item["until"]), listed)


def _holds(listed: tuple[Range, ...], family: int, number: int) -> bool:
    at = bisect_right(listed, Range(family, number, 1 << 128))
    return at > 0 and listed[at - 1].family == family and number <= listed[at - 1].last
