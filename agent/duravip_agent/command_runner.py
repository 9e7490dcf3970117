"""Carries out commands by annotation: announce again, begin anew, list the neighbours."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from duravip_agent import clock
from duravip_agent.core.interfaces import relevant_interfaces
from duravip_agent.core.kernel_state import NeighbourEntry
from duravip_agent.core.node_commands import NodeCommand, NodeCommands, neighbour_table
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.address_manager import AddressManager, format_addresses
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.reconciler import Reconciler
from duravip_agent.segment.announcer import Announcer
from duravip_api.annotations import ANNOUNCE, RESET

log = logging.getLogger(__name__)


class CommandRunner:
    """For the loop's thread, which then makes a step and reports."""

    def __init__(
        self,
        commands: NodeCommands,
        *,
        reconciler: Reconciler,
        facts: FactCollector,
        addresses: AddressManager,
        announcer: Announcer,
        watchdog: Watchdog,
        neighbours: Callable[[], list[NeighbourEntry]],
        read_spec_soon: Callable[[], None],
        resync: Callable[[], None],
    ) -> None:
        """`resync` lets the loop read everything again."""
        self._commands, self._reconciler, self._facts = commands, reconciler, facts
        self._addresses, self._announcer, self._watchdog = addresses, announcer, watchdog
        self._neighbours, self._read_spec_soon = neighbours, read_spec_soon
        self._resync = resync

    def run_new(self, body: Mapping[str, Any]) -> bool:
        """Carry out what this state of the object commands; whether there was anything."""
        commands = self._commands.new_in(body)
        for command in commands:
            self._run(command)
            self._commands.mark_done(command)
        return bool(commands)

    def _run(self, command: NodeCommand) -> None:
        if command.what == RESET:
            self._reset()
        elif command.what == ANNOUNCE:
            self._announce(command.addresses)
        else:
            links = relevant_interfaces(self._addresses.observed)
            names = {link.index: link.name for link in links}
            table = neighbour_table(self._neighbours(), names)
            self._commands.set_neighbours(table, clock.monotonic())

    def _reset(self) -> None:
        """Mute first, so that nothing is heard of what is about to go; rule A1 for all of it."""
        log.warning("asked to begin anew: everything is muted and removed")
        self._reconciler.mute_all()
        self._facts.require_fresh_ack()
        self._addresses.remove_all(self._watchdog.loop_alive)
        self._read_again()

    def _announce(self, addresses: frozenset[str]) -> None:
        active = self._reconciler.active
        chosen = active & addresses if addresses else active
        log.info("asked to announce again: %s", format_addresses(chosen) or "nothing that is held")
        self._announcer.announce_again(chosen, clock.monotonic())
        self._read_again()

    def _read_again(self) -> None:
        self._read_spec_soon()
        self._resync()
