"""What runs on the nodes of a scenario beside their agents."""

from collections.abc import Mapping

from duravip_api.listeners import WILDCARD
from lab.cluster import Lab
from lab.processes import Process
from lab.strangers import listening, taking_away

_Key = tuple[str, str]
"""The node, and the socket or the address that it is about."""


class Strangers:
    """Programs that listen, and such as take addresses away."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._running: dict[_Key, Process] = {}

    def listen(self, sockets: Mapping[str, list[str]]) -> None:
        """On `TCP/25`, or on `TCP/25 ADDRESS`."""
        for name, listed in sockets.items():
            for text in listed:
                port, _, address = text.partition(" ")
                protocol, _, number = port.partition("/")
                only = "only" if ":" in address else ""
                socket = f"{protocol} {address or WILDCARD[4]} {number} {only}"
                self._running[name, text] = listening(self._lab.machines[name], socket)

    def take_away(self, addresses: Mapping[str, list[str]]) -> None:
        """Again and again."""
        for name, listed in addresses.items():
            for address in listed:
                self._running[name, address] = taking_away(self._lab.machines[name], address)

    def end(self, what: Mapping[str, list[str]]) -> None:
        """No more of these."""
        for name, listed in what.items():
            for text in listed:
                self._running.pop((name, text)).kill()

    def end_all(self, nodes: list[str]) -> None:
        """No more of any on these nodes."""
        for name, text in [key for key in self._running if key[0] in nodes]:
            self.end({name: [text]})
