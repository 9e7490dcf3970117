"""The part of an agent that beats, in the long histories: a thread of its own.

It sends beats, takes acknowledgements, looks at neighbours when the operator asks, and refreshes
the dead-man while the rule lets it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from duravip_agent.core import acknowledgements, watchdog_rule
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.witness_book import ProbeSubject, WitnessBook, suspect_probe
from duravip_api.heartbeat import Ack, Heartbeat, ProbeReport, ProbeRequest, address_digest
from duravip_api.timing import BEAT, CONTACT
from simulation.changes import Weak
from simulation.histories.apiserver import ApiServer, Clock
from simulation.histories.network import REPLICAS, Machine, Network

LIMITS = watchdog_rule.Timeouts(contact=CONTACT)


@dataclass
class Surroundings:
    """What an agent, or a replica, lives in."""

    clock: Clock
    api: ApiServer
    network: Network
    weak: Weak = frozenset()
    hear: Callable[[Heartbeat | ProbeReport, int, str], None] = lambda *_: None
    """Brings a datagram to a replica, by its number; the last is the node that has signed it."""


class Heart:
    """Beats for one start of the agent."""

    def __init__(self, around: Surroundings, machine: Machine, boot: str) -> None:
        self.around, self.machine, self.boot = around, machine, boot
        self.held: set[str] = set()
        """Those of the agent's parts that stand still."""
        self.specs = SpecTracker()
        self.fed_at: float | None = None
        """When the dead-man was; None = everything is mute until the loop begins anew."""
        self.progress = self.now
        self.has_strict = False
        self.acked: acknowledgements.AckedHeartbeat | None = None
        self._differs: acknowledgements.SpecMismatch | None = None
        self.digest = address_digest(frozenset())
        self.must_hurry = self.must_read = False
        self.has_ended = False
        self._seq = 0
        self._sent: dict[int, float] = {}
        self._due = self._began = self._read = self.now
        self._inbox: list[tuple[Ack | ProbeRequest, int]] = []
        self._book = WitnessBook()
        self._watched: dict[tuple[str, str], ProbeSubject] = {}

    @property
    def now(self) -> float:
        """The time."""
        return self.around.clock.now

    @property
    def name(self) -> str:
        """Its node."""
        return self.machine.name

    @property
    def is_connected(self) -> bool:
        """Whether it reaches the API server."""
        return self.name not in self.around.network.control

    @property
    def contact(self) -> watchdog_rule.LeaderContact | None:
        """The newest acknowledgement of a leader."""
        return self.acked.contact if self.acked else None

    def beat(self) -> None:
        """Beat if it is time, take what has come, refresh the dead-man."""
        waiting, self._inbox = self._inbox, []
        for datagram, replica in waiting:
            self.receive(datagram, replica)
        is_known = self.contact and self.contact.generation == self.specs.in_force.generation
        if self.now >= self._due or (self.must_hurry and not is_known):
            self._due = self.now + BEAT
            self.send()
        self.must_hurry &= not is_known
        if acknowledgements.must_read_without_leader(
            self.contact, self._began, self._read, self.now
        ):
            self._read, self.must_read = self.now, True
        for suspect, question in self._book.due(self.now):
            asked = self.around.network.ask(self.name, suspect.interface, question.addresses)
            self._book.note(suspect, asked, self.now)
        self._tick()

    def receive(self, datagram: Ack | ProbeRequest, replica: int) -> None:
        """Take a datagram, now or when the thread runs again."""
        if "beat" in self.held:
            self._inbox = [*self._inbox, (datagram, replica)][-50:]
        elif isinstance(datagram, Ack):
            self._acknowledged(datagram)
        else:
            self._look(datagram, replica)

    def send(self) -> None:
        """Beat."""
        self._seq += 1
        self._sent[self._seq] = self.now
        generation = 0 if self.specs.is_rolled_back else self.specs.in_force.generation
        says = (generation, self.digest, (), self.has_ended)
        beat = Heartbeat(self.name, self.boot, self._seq, *says)
        network = self.around.network
        if self.name in network.control or self.name in network.beats:
            return
        for replica in range(len(REPLICAS)):
            self.around.hear(beat, replica, self.name)

    def _acknowledged(self, ack: Ack) -> None:
        sent = self._sent.get(ack.seq)
        if ack.boot != self.boot or sent is None or not ack.leader:
            return
        heard = acknowledgements.AckedHeartbeat(
            ack.seq, watchdog_rule.LeaderContact(sent, ack.epoch, ack.generation)
        )
        epoch = self.specs.epoch or 0
        self.acked = acknowledgements.newest_ack(self.acked, heard, epoch)
        contact, read = self.acked.contact, (self.specs.newest_epoch, self.specs.newest_read)
        self._differs = acknowledgements.spec_mismatch(self._differs, contact, read, self.now)
        is_stale = acknowledgements.must_reread(self._differs, self.now)
        is_newer = ack.epoch > epoch or ack.generation > self.specs.newest_read
        self.must_read |= is_newer or is_stale
        self.confirm()

    def confirm(self) -> None:
        """Act on what is in a store that has gone back, once a leader goes by it."""

    def _look(self, look: ProbeRequest, replica: int) -> None:
        if look.boot != self.boot:
            return
        family = 6 if ":" in look.addresses[0] else 4
        name = f"{look.suspect} by IPv{family}"
        suspect = ProbeSubject(name, look.interface, look.addresses, frozenset(look.macs))
        self._watched[name, look.interface] = suspect
        self._book.watch(self._watched.values(), self.now)
        question = suspect_probe(suspect)
        found = self.around.network.ask(self.name, look.interface, question.addresses)
        seen = self._book.note(suspect, found, self.now)
        ago = seen.heard_ago if seen.is_witness else -1.0
        sight = ProbeReport(
            self.name, look.number, look.suspect, look.interface, seen.verdict.value, ago
        )
        if self.name not in self.around.network.control:
            self.around.hear(sight, replica, self.name)

    def _tick(self) -> None:
        weak = self.around.weak
        if self.fed_at is None:
            return
        strict = self.has_strict and "hold" not in weak
        refreshed = self.now if "late-refresh" in weak else self.fed_at
        leash = watchdog_rule.WatchdogState(refreshed, self.progress, self.contact, strict, LIMITS)
        if watchdog_rule.may_feed(leash, self.now):
            self.machine.fed_at = self.fed_at = self.now
        elif watchdog_rule.is_late(leash, self.now):
            self.mute()

    def mute(self) -> None:
        """Let nothing be heard until the loop begins anew."""
        self.fed_at, self.machine.fed_at = None, float("-inf")
