"""The HTTP server of /metrics, and of the probes /healthz and /readyz."""

from collections.abc import Mapping
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from duravip_runtime.endpoints import parse_endpoint
from duravip_runtime.http_pages import Pages, PageServer, Probe
from duravip_runtime.settings import SettingsError


def page_server(
    listen: str, registry: CollectorRegistry, probes: Mapping[str, Probe]
) -> PageServer:
    """Take the address; raises SettingsError when it cannot be had.

    `probes` are by path, e.g. `/healthz`.
    """
    pages = Pages(probes, partial(generate_latest, registry), CONTENT_TYPE_LATEST)
    try:
        return PageServer(parse_endpoint(listen), pages)
    except OSError as error:
        raise SettingsError(f"--http-listen: cannot listen on {listen}: {error}") from error
