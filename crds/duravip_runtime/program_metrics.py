"""What a program counts, and the server of /metrics beside /healthz and /readyz."""

from collections.abc import Mapping, Sequence
from functools import partial

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from duravip_runtime.http_pages import Pages, PageServer, Probe
from duravip_runtime.settings import SettingsError, parse_endpoint


class ProgramMetrics:
    """The metrics of one program, whose names begin alike; with `process_*`.

    Without a `_created` series beside each counter: nobody reads it.
    """

    def __init__(self, prefix: str) -> None:
        """`prefix` is for example `duravip_agent`."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._prefix = prefix

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{self._prefix}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{self._prefix}_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        full = f"{self._prefix}_{name}"
        return Histogram(full, text, labels, registry=self.registry, buckets=buckets)


def page_server(
    listen: str, registry: CollectorRegistry, probes: Mapping[str, Probe]
) -> PageServer:
    """Take the address, HOST:PORT; raises SettingsError when it cannot be had.

    `probes` are by path, e.g. `/healthz`.
    """
    pages = Pages(probes, partial(generate_latest, registry), CONTENT_TYPE_LATEST)
    try:
        return PageServer(parse_endpoint(listen), pages)
    except OSError as error:
        raise SettingsError(f"--http-listen: cannot listen on {listen}: {error}") from error
