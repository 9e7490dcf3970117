"""Does what people ask of this node: announce again, begin anew, list the neighbours."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from duravip_agent.core.interfaces import cards
from duravip_agent.core.kernel_state import Host
from duravip_agent.core.node_commands import Request, listed
from duravip_agent.kernel.address_manager import listed as shown
from duravip_agent.reconciler import Handover
from duravip_agent.tools import Tools
from duravip_api.annotations import ANNOUNCE, RESET

log = logging.getLogger(__name__)


class Errands:
    """Does them. For the loop's thread, which then makes a step and reports."""

    def __init__(
        self, tools: Tools, handover: Handover, hosts: Callable[[], list[Host]],
        look_again: Callable[[], None],
    ) -> None:  # fmt: skip
        """`hosts` gives the kernel's neighbours; `look_again` has the loop look at everything."""
        self._tools, self._handover = tools, handover
        self._hosts, self._look_again = hosts, look_again

    def take(self, body: Mapping[str, Any]) -> bool:
        """The object was seen like this; whether anything was asked for."""
        asked = self._tools.requests.take(body)
        for request in asked:
            self._do(request)
            self._tools.requests.did(request)
        return bool(asked)

    def _do(self, request: Request) -> None:
        if request.what == RESET:
            self._reset()
        elif request.what == ANNOUNCE:
            self._announce(request.addresses)
        else:
            names = {link.index: link.name for link in cards(self._tools.plumber.observed)}
            self._tools.requests.found(listed(self._hosts(), names), time.monotonic())

    def _reset(self) -> None:
        """Mute first, so that nothing is heard of what is about to go; rule A1 for all of it."""
        log.warning("asked to begin anew: everything is muted and removed")
        self._handover.silence_all()
        self._tools.judge.begin_anew()
        self._tools.plumber.withdraw(self._tools.lifeline.come_round)
        self._read_again()

    def _announce(self, addresses: frozenset[str]) -> None:
        armed = self._handover.armed
        chosen = armed & addresses if addresses else armed
        log.info("asked to announce again: %s", shown(chosen) or "nothing that is held")
        self._tools.announcer.renew(chosen, time.monotonic())
        self._read_again()

    def _read_again(self) -> None:
        self._tools.inquiry.read_soon()
        self._look_again()
