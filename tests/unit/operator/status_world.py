"""The scenarios' cluster with the operator's real reporting, and what it writes and says."""

import asyncio
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

from duravip_operator.core import decision
from duravip_operator.core.event_queue import OwnerChange
from duravip_operator.core.snapshot import Snapshot, VipObject
from duravip_operator.kube.status_writer import Key, Priority, Status, StatusQueue
from duravip_operator.metrics import Metrics
from duravip_operator.status_reporter import StatusReporter
from scenarios.world import World

SEGMENT = {"kind": "Topology", "name": "t", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}


class Statuses:
    """The status writer, with a clock of its own."""

    def __init__(self) -> None:
        self.pending = StatusQueue()
        self.now = 0.0

    def put(self, key: Key, status: Status, priority: Priority) -> None:
        self.pending.put(key, status, priority, self.now)

    def cancel(self, key: Key) -> bool:
        return self.pending.cancel(key)

    def reset(self, epoch: int | None = None) -> None:
        self.pending.clear()
        self.pending.epoch = epoch


class Heard:
    """Events, as they are said."""

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.reset()

    def begin(self, epoch: int | None) -> None:
        self.epoch = epoch

    def reset(self) -> None:
        self.of_entities: list[tuple[str, str, str]] = []
        self.of_nodes: list[tuple[str, str]] = []
        self.moves: list[OwnerChange] = []
        self.times: list[str] = []

    def record(
        self, vip: VipObject, reason: str, message: str, kind: str = "Normal", time: str = ""
    ) -> None:
        self.of_entities.append((vip.name, f"{kind} {reason}", message))
        self.times += [time] if time else []

    def record_for_node(self, node: str, reason: str, message: str, kind: str = "Normal") -> None:
        assert message
        self.of_nodes.append((node, f"{kind} {reason}"))

    def record_takeovers(self, moves: list[OwnerChange]) -> None:
        self.moves += moves


class ReportedWorld(World):
    """Its statuses are written when their time has come."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.writer, self.heard, self.metrics = Statuses(), Heard(), Metrics("test", 2)
        self.reporting = StatusReporter(self.writer, self.heard, self.metrics)
        self.interrupts = iter([False])
        """Whether another pass must follow at once, each time that a report asks; then no more."""
        super().__init__(given)

    def _report(self, snapshot: Snapshot, decided: decision.Decision) -> None:
        answers = chain(self.interrupts, repeat(None))
        asyncio.run(self.reporting.report(snapshot, decided, lambda: bool(next(answers))))

    def write(self, after: float = 0.0) -> dict[Key, Status]:
        """Write all that is due within so many seconds; the last status of each entity."""
        end, pending = self.writer.now + after, self.writer.pending
        written: dict[Key, Status] = {}
        self.writes = 0
        while (due := pending.next_due()) is not None and due <= end:
            self.writer.now = max(self.writer.now, due)
            item = pending.take(self.writer.now)
            assert item
            self.writer.pending.done(item.key)
            if item.key[0] == "NodePlumbing":
                self._take_condition(item.key[2], dict(item.status))
                continue
            self.objects[item.key]["status"] = dict(item.status)
            if item.key[0] == "Topology":
                continue
            written[item.key] = dict(item.status)
            self.writes += 1
        self.writer.now = end
        return written

    def _take_condition(self, node: str, condition: Status) -> None:
        machine = self.machines[node]
        machine.heard = [dict(condition)]
        status = machine.plumbing["status"]
        others = [c for c in status.get("conditions", ()) if c["type"] != condition["type"]]
        status["conditions"] = [*others, condition]

    def count(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        full, wanted = f"duravip_operator_{name}", labels.items()
        samples = [s for family in self.metrics.registry.collect() for s in family.samples]
        return sum(s.value for s in samples if s.name == full and wanted <= s.labels.items())


def world(addresses: int, nodes: int = 3) -> ReportedWorld:
    """A cluster that has settled, everything written, nothing heard since."""
    objects = [
        {"kind": "DuraVIP", "name": f"d{n}", "spec": {"address": f"10.1.{1 + n // 250}.{n % 250}"}}
        for n in range(1, addresses + 1)
    ]
    made = ReportedWorld({"nodes": [f"n{n}" for n in range(1, nodes + 1)], "objects": [SEGMENT]})
    made.apply(objects)
    made.settle()
    made.write(60)
    made.settle()
    assert made.write(60) == {}
    made.heard.reset()
    return made
