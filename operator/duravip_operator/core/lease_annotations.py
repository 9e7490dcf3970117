"""What the leader decides by and nobody else can know: its settings, and whom it has set aside.

It stands in two annotations of the Lease, which is renewed all the time anyway: so it costs no
write. `kubectl duravip` reads it, in order to decide as the leader does. Its size is bounded: a
list that had to be cut says so.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from duravip_api import GROUP
from duravip_api.addresses import Range, format_ranges, merge_ranges, parse_range, to_int
from duravip_operator.core.snapshot import Fencing

SETTINGS_ANNOTATION: Final = f"{GROUP}/settings"
QUARANTINE_ANNOTATION: Final = f"{GROUP}/quarantine"

MAX_RANGES, MAX_NODES = 128, 256
"""So many ranges of addresses, and nodes, are named: about 8 KiB."""
MAX_ANNOTATION_CHARS: Final = 65536
"""A longer annotation was not written by an operator."""

Until = Mapping[tuple[str, str], str]
"""By `(address, node)`, when an address is tried again on a node."""


class QuarantinedRanges(NamedTuple):
    """Addresses that are given up on one node until the same moment."""

    node: str
    until: str
    addresses: tuple[Range, ...]


class PublishedState(NamedTuple):
    """What was read."""

    max_aliases: int
    fencing: Fencing
    quarantines: tuple[QuarantinedRanges, ...]
    untrusted: frozenset[str]
    ignores_exclude_label: bool
    is_complete: bool
    """Whether no address or node had to be left out."""

    def quarantined(self, addresses: Iterable[str]) -> tuple[dict[str, frozenset[str]], Until]:
        """Of these addresses, the nodes that each is given up on, and until when."""
        found: dict[str, frozenset[str]] = {}
        until: dict[tuple[str, str], str] = {}
        for address in addresses if self.quarantines else ():
            for node, when, listed in self.quarantines:
                if _holds(listed, *to_int(address)):
                    found[address] = found.get(address, frozenset()) | {node}
                    until[address, node] = when
        return found, until


def format_settings(values: Mapping[str, Any]) -> str:
    """The text of SETTINGS."""
    return json.dumps(dict(values), sort_keys=True)


def format_quarantine(
    given_up: Mapping[str, frozenset[str]], until: Until, distrusted: Iterable[str]
) -> str:
    """The text of QUARANTINE."""
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
    said = {
        "givenUp": listed,
        "distrusted": contradicting[:MAX_NODES],
        "isComplete": is_complete and len(contradicting) <= MAX_NODES,
    }
    return json.dumps(said, sort_keys=True)


def parse_lease(annotations: Mapping[str, Any]) -> PublishedState | None:
    """What a Lease says; None where it says nothing, or nothing that can be read."""
    texts = [
        str(annotations.get(name) or "") for name in (SETTINGS_ANNOTATION, QUARANTINE_ANNOTATION)
    ]
    if not all(texts) or max(map(len, texts)) > MAX_ANNOTATION_CHARS:
        return None
    try:
        told, aside = map(json.loads, texts)
        return PublishedState(
            max_aliases=int(told["maxAliases"]),
            fencing="Strict" if told["fencing"] == "Strict" else "Segment",
            quarantines=tuple(_quarantine(item) for item in aside["givenUp"][:MAX_RANGES]),
            untrusted=frozenset(str(node) for node in aside["distrusted"][:MAX_NODES]),
            ignores_exclude_label=told.get("ignoreExcludeLabel") is True,
            is_complete=aside["isComplete"] is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _quarantine(item: Mapping[str, Any]) -> QuarantinedRanges:
    listed = merge_ranges(parse_range(str(text)) for text in item["addresses"][:MAX_RANGES])
    return QuarantinedRanges(str(item["node"]), str(item["until"]), listed)


def _holds(listed: tuple[Range, ...], family: int, number: int) -> bool:
    at = bisect_right(listed, Range(family, number, 1 << 128))
    return at > 0 and listed[at - 1].family == family and number <= listed[at - 1].last
