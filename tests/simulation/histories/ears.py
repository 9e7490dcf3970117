"""The pulse of a replica in the long histories: the process that hears beats and asks scouts.

What it makes of them is the project's own: the detector, the scouting, what follows from silence.
"""

from collections.abc import Callable, Mapping

from duravip_api.heartbeat import Ack, Heartbeat, ProbeReport, ProbeRequest
from duravip_api.timing import SUSPECT_AFTER
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse.authentication import AgentIdentity, DropReason, objection
from duravip_operator.pulse.failure_detector import FailureDetector, Timeouts, suspicions
from duravip_operator.pulse.ipc import PulseView
from duravip_operator.pulse.probe_rounds import OutgoingProbe, ProbeRounds
from duravip_operator.pulse.probe_targets import NodeTargets
from duravip_operator.pulse.reported_view import ReportedView
from simulation.histories.heart import Surroundings

MATURE = 1.0
"""Seconds: less than usual, so that histories are shorter."""
LATE = 0.08
"""Whoever comes round so late has heard nobody meanwhile."""

Reach = Callable[[str, Ack | ProbeRequest], None]
"""Sends a datagram to the agent of a node."""


class Ears:
    """Hears, answers, judges."""

    def __init__(self, around: Surroundings, name: str, reach: Reach) -> None:
        self._around, self._name, self._reach = around, name, reach
        self._ran = around.clock.now
        self._detector = FailureDetector(Timeouts(MATURE, SUSPECT_AFTER))
        self._scouting = ProbeRounds(0)
        self._news = ReportedView()
        self._queue: list[tuple[Heartbeat | ProbeReport, str]] = []
        """Datagrams, each with the node whose key has signed it."""
        self._agents: Mapping[str, AgentIdentity] = {}
        self._hearing: dict[str, Liveness] = {}
        self._lead: tuple[int | None, float, float] = (None, 0.0, 0.0)
        self._generations: dict[str, int] = {}
        self._roster: Mapping[str, NodeTargets] = {}
        self.is_held = False
        self._heard: dict[str, HeartbeatState] = {}

    def view(self) -> PulseView:
        """What is shown now."""
        return self._news.visible(self._around.clock.now)

    def beats(self) -> Mapping[str, HeartbeatState]:
        """What the last beat of each node said."""
        return self._heard

    def take(self, datagram: Heartbeat | ProbeReport, signer: str) -> None:
        """A datagram comes, signed with the key of that node."""
        if self._name in self._around.network.control:
            return
        self._queue = [*self._queue, (datagram, signer)][-200:]
        if not self.is_held:
            self._drain()

    def know(self, agents: Mapping[str, AgentIdentity]) -> None:
        """NodePlumbing says this of the nodes' agents."""
        self._agents = agents

    def tell(
        self,
        epoch: int | None,
        until: float,
        generations: dict[str, int],
        roster: Mapping[str, NodeTargets],
    ) -> None:
        """Whether we lead, and until when; which spec each node should know; where it is."""
        now = self._around.clock.now
        was, since, _ = self._lead
        self._lead = (epoch, since if epoch == was else now, until)
        self._detector.expect(frozenset(roster), now)
        changes: dict[str, NodeTargets | None] = dict.fromkeys(self._roster.keys() - roster.keys())
        changes |= {n: e for n, e in roster.items() if self._roster.get(n) != e}
        self._roster = dict(roster)
        if changes:
            self._scouting.update_targets(changes, now)
        news = [n for n, g in generations.items() if self._generations.get(n) != g]
        self._generations = dict(generations)
        for name in news:
            beat = self._detector.last_beat(name)
            if beat and epoch is not None:
                self._answer(beat)

    def run(self) -> None:
        """Come round once."""
        now = self._around.clock.now
        if now - self._ran > LATE:
            self._detector.compensate_stall(now - self._ran, now)
        self._ran = now
        self._drain()
        self._detector.evaluate(now)
        hearing = self._detector.liveness()
        if hearing != self._hearing:
            self._hearing = hearing
            self._scouting.update_liveness(hearing, now)
        self._scouting.evaluate(now)
        for ask in self._scouting.due(now):
            self._ask(ask)
        self._say(now)

    def _say(self, now: float) -> None:
        silent = self._detector.suspects()
        deaf = {Liveness.SUSPECT, Liveness.UNKNOWN}
        heard = sum(1 for hearing in self._hearing.values() if hearing not in deaf)
        epoch, since, _ = self._lead
        led_since = None if epoch is None else since
        found = suspicions(silent, self._scouting.outcomes(), heard, led_since, now)
        known = self._news.actual
        witnessed = self._scouting.witnessed(now)
        if (self._hearing, found, witnessed) != known:
            self._news.update(PulseView(self._hearing, found, witnessed), now)

    def _drain(self) -> None:
        waiting, self._queue = self._queue, []
        now = self._around.clock.now
        for datagram, signer in waiting:
            if not self._is_believed(datagram, signer):
                continue
            if isinstance(datagram, ProbeReport):
                self._scouting.take_report(datagram, now)
            elif self._detector.record(datagram, now):
                says = (datagram.generation, datagram.digest, datagram.stopped)
                said = HeartbeatState(datagram.boot, *says)
                self._heard[datagram.node] = said
                self._answer(datagram)

    def _is_believed(self, datagram: Heartbeat | ProbeReport, signer: str) -> bool:
        agent = self._agents.get(signer)
        if agent is None:
            return False
        wrong = objection(datagram, signer, agent)
        return wrong is None or (wrong is DropReason.SENDER and "any-key" in self._around.weak)

    def _answer(self, beat: Heartbeat) -> None:
        epoch, _, until = self._lead
        leads = epoch is not None and self._around.clock.now < until
        generation = self._generations.get(beat.node, 0)
        self._send(beat.node, Ack(beat.boot, beat.seq, leads, epoch or 0, generation))

    def _ask(self, ask: OutgoingProbe) -> None:
        scout, suspect, _ = ask.watch
        beat = self._detector.last_beat(scout)
        if "witness" in self._around.weak:  # whoever hears nothing is believed
            self._scouting.witnesses.record_answer(ask.watch, self._around.clock.now)
        if beat:
            what = (suspect, ask.interface, ask.addresses, ask.macs)
            self._send(scout, ProbeRequest(scout, beat.boot, ask.number, *what))

    def _send(self, node: str, datagram: Ack | ProbeRequest) -> None:
        network = self._around.network
        is_lost = isinstance(datagram, Ack) and node in network.acks
        if not is_lost and network.control.isdisjoint({self._name, node}):
            self._reach(node, datagram)
