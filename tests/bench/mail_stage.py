"""Mail on two nodes: how long queues, and mail that enters at the wrong node, take to be moved.

Without Kubernetes: a real Postfix on each node, and `duravip-mail` beside what stands in for the
agent (`tests/mail`). One run is three times so many messages:

- injected at the node that serves their Binding, and delivered: the time of the right node;
- the same at the other node, which hands them over: the time of the wrong node;
- put off by the host outside, so that they wait, and then their Binding moves: until the node that
  had it has none left. This is the time of the run. All are delivered afterwards, and counted.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from types import TracebackType
from typing import Any, Final, Self

from bench.measuring import Say
from bench.plans import Cell
from bench.results import Row, Run
from lab.processes import wait_for
from mail.conftest import BAR, FOO, KNOWN, start_all, write_bindings
from mail.mail_node import MailNode
from mail.outside import Outside
from mail.segment import Segment

MESSAGES: Final = {True: 500, False: 5000}
"""How many, quickly or not."""
PATIENCE_S: Final = 300.0
LOOK_EVERY_S: Final = 0.1
"""At a queue: to look at thousands of files takes the time of those who move them."""
TABLE_LOOK_EVERY_S: Final = 0.005

Figures = dict[str, float]


class MailStage:
    """`with` it, there are two nodes and a host outside."""

    def __init__(self, say: Say, *, is_quick: bool) -> None:
        self._say, self._count = say, MESSAGES[is_quick]
        self._segment = Segment(2)

    def __enter__(self) -> Self:
        self._segment.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._segment.__exit__(kind, error, trace)

    def serve(self, count: int) -> None:
        """Each run begins with nodes of its own."""

    def rows(self, cell: Cell, deadline: float) -> Iterator[Row]:
        """The row after each run, made of all of them so far."""
        runs: list[Run] = []
        seen: list[Figures] = []
        while len(runs) < cell.runs and (not runs or time.monotonic() < deadline):
            seen.append(self._run())
            runs.append(Run(seen[-1]["moved_s"], doubles=0))
            self._say(f"{cell.label}: {seen[-1]}")
            row = Row.of(cell.case, cell.system, cell.addresses, runs)
            yield replace(row, figures=self._figures(seen))

    def _figures(self, seen: Sequence[Figures]) -> dict[str, Any]:
        middle = {name: round(median(run[name] for run in seen), 3) for name in seen[0]}
        worst = {name: max(run[name] for run in seen) for name in ("lost", "twice")}
        return {"messages": self._count, **middle, **worst}

    def _run(self) -> Figures:
        bindings = self._segment.layout.home / "bindings.json"
        write_bindings(bindings, KNOWN)
        first, second = (
            MailNode(machine, self._segment.layout, self._segment.tls, bindings)
            for machine in self._segment.nodes
        )
        outside = Outside(self._segment.outside)
        try:
            start_all((first, second))
            first.tell("take", FOO)
            second.tell("take", BAR)
            return self._measured(first, second, outside)
        finally:
            outside.close()
            for node in (first, second):
                node.stop()

    def _measured(self, first: MailNode, second: MailNode, outside: Outside) -> Figures:
        outside.take()
        right = self._delivered(second, outside, "right")
        wrong = self._delivered(first, outside, "wrong")
        outside.take(defer=True)
        outside.send(first.address, "queued", binding="foo", count=self._count)
        self._wait(lambda: first.queue()["deferred"] == self._count, "all wait")
        began = time.monotonic()
        first.tell("release", FOO)
        second.tell("take", FOO)
        route = f"foo\tFILTER mmove:[{FOO}]"
        wait_for(
            lambda: route in first.routes(), "the table knows", PATIENCE_S, TABLE_LOOK_EVERY_S
        )
        table = time.monotonic() - began
        self._wait(first.is_empty, "the queue has moved")
        moved = time.monotonic() - began
        outside.take()
        second.tell("release", FOO)  # its mail is due only in minutes, but at once when it is back
        second.tell("take", FOO)
        verdict = outside.wait_for(self._count, "queued", PATIENCE_S)
        return {
            "moved_s": moved,
            "table_s": table,
            "right_node_s": right,
            "wrong_node_s": wrong,
            "lost": self._count - verdict.delivered,
            "twice": verdict.twice,
            "from_a_wrong_address": len(verdict.sources - {FOO}),
        }

    def _delivered(self, node: MailNode, outside: Outside, tag: str) -> float:
        """Seconds from the first message that is injected at a node to the last delivery."""
        began = time.monotonic()
        outside.send(node.address, tag, binding="bar", count=self._count)
        outside.wait_for(self._count, tag, PATIENCE_S)
        return time.monotonic() - began

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        wait_for(condition, what, PATIENCE_S, LOOK_EVERY_S)
