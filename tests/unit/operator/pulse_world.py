"""A cluster with a virtual clock, whose scouts see what is so."""

from collections.abc import Collection

from duravip_api.heartbeat import ProbeReport
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse.probe_rounds import OutgoingProbe, ProbeRounds
from duravip_operator.pulse.probe_targets import NodeTargets, ProbeTargets, Segment

NODES = ("n1", "n2", "n3", "n4", "n5")
ETH1 = frozenset({"eth1"})
NONE = frozenset[str]()
STEP = 0.02


def entry(n: int, *, served: bool = True, interfaces: Collection[str] = ("eth1",)) -> NodeTargets:
    """One v4 segment on each interface."""
    vips = (f"10.1.1.{n}",) if served else ()
    mac = f"02:00:00:00:00:0{n}"
    return {Segment(i, 4): ProbeTargets((f"10.1.0.{n}",), vips, (mac,)) for i in interfaces}


class Cluster:
    """What is so, and the scouts that look at it."""

    def __init__(self, nodes: Collection[str] = NODES) -> None:
        self.now = 100.0
        self.scouting = ProbeRounds(0)
        self.hearing = dict.fromkeys(nodes, Liveness.ALIVE)
        self.dead: set[str] = set()
        self.muted: set[str] = set()
        self.deaf: set[str] = set()
        """Scouts that hear no answer from anybody."""
        self.lazy: set[str] = set()
        """Scouts that say nothing."""
        self.asked: list[OutgoingProbe] = []
        self.scouting.update_targets({n: entry(int(n[1:])) for n in nodes}, self.now)
        self.scouting.update_liveness(self.hearing, self.now)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.step()

    def step(self) -> None:
        """Ask what is due; the answers come a step later."""
        self.scouting.evaluate(self.now)
        asks = self.scouting.due(self.now)
        self.asked += asks
        self.now = round(self.now + STEP, 6)
        for ask in asks:
            if ask.watch.scout not in self.lazy | self.dead:
                assert self.scouting.take_report(self.sight(ask), self.now)

    def sight(self, ask: OutgoingProbe, verdict: str = "") -> ProbeReport:
        scout, suspect, _ = ask.watch
        own = all(address.startswith("10.1.0.") for address in ask.addresses)
        heard = suspect not in self.dead and scout not in self.deaf
        heard &= own or suspect not in self.muted
        seen = verdict or ("answering" if heard else "silent")
        ago = 0.0 if seen == "answering" else -1.0
        return ProbeReport(scout, ask.number, suspect, ask.interface, seen, ago)

    def silence(self, *names: str) -> None:
        self.hearing = self.hearing | dict.fromkeys(names, Liveness.SUSPECT)
        self.scouting.update_liveness(self.hearing, self.now)

    def return_(self, *names: str) -> None:
        self.hearing = self.hearing | dict.fromkeys(names, Liveness.ALIVE)
        self.scouting.update_liveness(self.hearing, self.now)

    def looks_at(self, suspect: str) -> list[OutgoingProbe]:
        return [ask for ask in self.asked if ask.watch.suspect == suspect]

    def outcome(self, name: str = "n1") -> tuple[frozenset[str], frozenset[str]]:
        """Where it is gone, where it answers."""
        return self.scouting.outcomes()[name]
