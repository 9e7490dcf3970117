"""`duravip_address_info`: who owns which address, as one series for each, up to a number.

Its samples are made when it is scraped: a pass over thousands of addresses has other things to do.
"""

from collections.abc import Iterator, Mapping
from heapq import nsmallest

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from duravip_operator.core.address_status import AddressStatus

LABELS = ("address", "owner", "interface", "state")


class AddressInfo(Collector):
    """The first `limit` addresses in the order of their texts, so that they stay the same ones."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.statuses: Mapping[str, AddressStatus] = {}
        """By address; replaced as a whole, from any thread."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample an address."""
        text = "Always 1; its labels say who owns the address."
        family = GaugeMetricFamily("duravip_address_info", text, labels=LABELS)
        statuses = self.statuses
        for address in nsmallest(self._limit, statuses):
            status = statuses[address]
            labels = (address, status.owner, status.interface, status.state.value)
            family.add_metric(labels, 1)
        yield family
