"""What programs show under /metrics: read, and compared with what they showed before. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE", "DELETECOLLECTION", "APPLY"})

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = Mapping[str, str]


def samples(text: str, name: str) -> Iterator[tuple[Labels, float]]:
    """Every `(labels, value)` of one metric."""
    for line in text.splitlines():
        if not line.startswith(name):
            continue
        found = _SAMPLE.match(line)
        if found and found[1] == name:
            yield dict(_LABEL.findall(found[2] or "")), float(found[3])


def value(text: str, name: str, **labels: str) -> float:
    """The sum of all samples of a metric that have these labels."""
    return sum(v for given, v in samples(text, name) if labels.items() <= given.items())


def api_writes(text: str) -> dict[str, float]:
    """Writes that an API server has taken, `{"PATCH duravips/status": n}`, without Leases."""
    found: dict[str, float] = {}
    for labels, count in samples(text, "apiserver_request_total"):
        verb, resource = labels.get("verb", ""), labels.get("resource", "")
        if verb not in WRITES or resource == "leases":
            continue
        part = labels.get("subresource", "")
        name = f"{verb} {resource}/{part}" if part else f"{verb} {resource}"
        found[name] = found.get(name, 0) + count
    return found


def more(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, int]:
    """What has been added to counters."""
    grown = {name: int(count - before.get(name, 0)) for name, count in after.items()}
    return {name: count for name, count in sorted(grown.items()) if count}
