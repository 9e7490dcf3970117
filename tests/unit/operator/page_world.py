"""A small cluster as the live page reads it, without an operator."""

from dataclasses import replace
from typing import Any

from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Suspicion, Topology, VipObject
from duravip_operator.page.moves import MoveTape
from duravip_operator.page.sources import Facts
from duravip_operator.pulse import PulseView
from unit.operator.clusters import LAN, NAMES, NICS, vip

OPERATOR = {
    "replica": "op-1", "version": "0", "leader": "op-1", "epoch": 7, "leads": True,
    "replicas": 2, "synced": True,
}  # fmt: skip


def owned(number: int, owner: str = "n1", **status: Any) -> VipObject:
    ready = {"type": "Ready", "status": "True", "reason": "Served", "message": "served"}
    told = {
        "state": "Owned",
        "owner": owner,
        "interface": "eth1",
        "flags": "-",
        "conditions": [ready],
    }
    return replace(vip(number), status=told | status)


def moved(
    number: int, former: str, owner: str, time: str = "2026-11-30T10:00:00.000000Z"
) -> VipObject:
    move = {
        "from": former,
        "to": owner,
        "reason": "NodeLost",
        "time": time,
        "gapMilliseconds": 180,
    }
    return owned(number, owner, lastMove=move)


class PageWorld:
    """What the page reads, which a test changes."""

    def __init__(self, vips: int = 3) -> None:
        self.tape = MoveTape()
        self.vips = {f"u{n}": owned(n, NAMES[n % 3]) for n in range(vips)}
        self.plumbings = {
            name: Plumbing(name, generation=4, observed_generation=4, nics=NICS, boot="b")
            for name in NAMES[:3]
        }
        self.pulse = PulseView(
            dict.fromkeys(self.plumbings, Liveness.ALIVE),
            {},
            dict.fromkeys(self.plumbings, frozenset({"eth1"})),
        )
        self.topologies: tuple[Topology, ...] = (LAN,)
        self.operator = dict(OPERATOR)
        self.busy = False
        self.asked = self.looks = 0

    def put(self, *vips: VipObject) -> None:
        self.vips |= {one.uid: one for one in vips}

    def silence(self, name: str) -> None:
        gone = Suspicion(unreachable_on=frozenset({"eth1"}), last_heard=1.0)
        hearing = {**self.pulse.hearing, name: Liveness.SUSPECT}
        self.pulse = PulseView(hearing, {name: gone}, self.pulse.witnessed)

    def facts(self) -> Facts:
        self.looks += 1
        return Facts(
            operator=self.operator,
            vips=tuple(self.vips.values()),
            topologies=self.topologies,
            nodes={name: Node(name) for name in self.plumbings},
            plumbings=dict(self.plumbings),
            pulse=self.pulse,
        )

    def is_busy(self) -> bool:
        return self.busy

    def ask_ages(self) -> None:
        self.asked += 1

    def ages(self) -> dict[str, float]:
        return dict.fromkeys(self.plumbings, 0.05)

    def api_ms(self) -> int:
        return 4
