"""DuraVIP left alone, then left alone on a busy machine, then one fail-over that is counted.

Its row has as times the longest gaps that a client sees of single addresses while every processor
is busy; all else is in `figures`.
"""

import time
from dataclasses import replace
from typing import Any

from bench import passes
from bench.measuring import Say
from bench.plans import AT_REST, CRASH, DURAVIP
from bench.results import Row, Run
from bench.scrapes import api_writes, more, value
from bench.spread import addresses, sample
from bench.systems.duravip import DuraVip
from bench.usage import Usage, busy_processors, usage
from lab.cluster import Lab
from lab.fleet import wait_until
from lab.observer.observation import Pace

REST = {True: 10.0, False: 20.0}
BUSY = {True: 15.0, False: 90.0}
ALARM = " is silent, was alive"
LAPSES = "duravip_agent_lapses_total"
CALM_WITHIN = 120.0
QUIET_WITHIN, QUIET_FOR = 30.0, 3.0
AN_HOUR = 3600
PASSES = "pass_ms_10240_entities_100_nodes"
"""Until it is known what to write / with all verdicts / the slowest of those; medians."""


class Resting:
    """Measures a DuraVIP that serves its addresses already."""

    def __init__(self, lab: Lab, made: DuraVip, say: Say, *, is_quick: bool) -> None:
        self._lab = lab
        self._made = made
        self._say = say
        self._is_quick = is_quick
        self._rest, self._busy = REST[is_quick], BUSY[is_quick]

    def row(self, count: int) -> Row:
        """All of it, in one row."""
        self._made.settle(CRASH)
        self._wait_for_quiet()
        figures = self._left_alone()
        run, busy = self._kept_busy(count)
        figures |= busy | self._failing_over(count)
        if not self._is_quick:
            figures |= self._passes()
        return replace(Row.of(AT_REST, DURAVIP, count, run), runs=1, figures=figures)

    def _left_alone(self) -> dict[str, Any]:
        self._say(f"{AT_REST}: left alone for {self._rest:g} s")
        fleet = self._made.fleet
        agents = [agent.pid for agent in fleet.agents.values()]
        operator = fleet.operators[self._made.operators.leader].pid
        writes, started = self._writes(), time.monotonic()
        before = {pid: usage(pid) for pid in (*agents, operator)}
        time.sleep(self._rest)
        seconds = time.monotonic() - started
        after = {pid: usage(pid) for pid in before}
        cpu = {pid: _percent(before[pid], after[pid], seconds) for pid in before}
        return {
            "agent_cpu_percent": max(cpu[pid] for pid in agents),
            "agent_rss_mib": round(max(after[pid].rss_mib for pid in agents), 1),
            "operator_cpu_percent": cpu[operator],
            "operator_rss_mib": round(after[operator].rss_mib, 1),
            "rest_seconds": round(seconds, 1),
            "api_writes_at_rest": more(writes, self._writes()),
        }

    def _kept_busy(self, count: int) -> tuple[list[Run], dict[str, Any]]:
        """The longest gap of each address, and alarms that were false."""
        self._say(f"{AT_REST}: every processor is busy for {self._busy:g} s")
        operators = self._made.operators
        operator = self._made.fleet.operators[operators.leader]
        alarms, lapses = operator.output().count(ALARM), operators.agents_sum(LAPSES)
        some = sample(addresses(count))
        with (
            self._lab.observe(some, Pace.finest(len(some))) as seen,
            busy_processors(self._busy),
        ):
            time.sleep(self._busy)
        sight = seen.sight
        gaps = [Run(sight.gap(address), 0) for address in sight.addresses]
        gaps[0] = replace(gaps[0], doubles=sight.double_owners)
        alarms = operator.output().count(ALARM) - alarms
        return gaps, {
            "busy_seconds": self._busy,
            "false_alarms_while_busy": alarms,
            "false_alarms_per_hour": round(alarms * AN_HOUR / self._busy),
            "dead_man_lapses_while_busy": int(operators.agents_sum(LAPSES) - lapses),
            "observer_late_ms_while_busy": round(sight.late * 1000),
        }

    def _failing_over(self, count: int) -> dict[str, Any]:
        """A crash that nobody looks at, until all that it changes is written."""
        self._say(f"{AT_REST}: the writes of one fail-over are counted")
        self._made.settle(CRASH)
        writes, shown = self._writes(), self._made.operators.metrics()
        self._made.acts[CRASH]()
        time.sleep(self._made.patience(CRASH, count))
        wait_until(self._is_calm, "the statuses are written after a fail-over", CALM_WITHIN)
        self._wait_for_quiet()
        after = self._made.operators.metrics()
        names = [f"duravip_operator_pass_seconds_{part}" for part in ("sum", "count")]
        spent, made = (value(after, name) - value(shown, name) for name in names)
        return {
            "api_writes_per_failover": more(writes, self._writes()),
            "passes_per_failover": int(made),
            "pass_ms_mean": round(spent / made * 1000, 1) if made else None,
        }

    def _passes(self) -> dict[str, Any]:
        """How long a pass takes after each kind of change."""
        self._say(f"{AT_REST}: passes over 10240 entities and 100 nodes are timed")
        measured = passes.measured(10240, 100)
        return {
            PASSES: {what: " / ".join(f"{ms:.0f}" for ms in times) for what, times in measured}
        }

    def _is_calm(self) -> bool:
        shown = self._made.operators.metrics()
        return value(shown, "duravip_operator_pending_statuses") == 0

    def _wait_for_quiet(self) -> None:
        """Until nothing is written any more, events included; or it is clear that it goes on."""
        end, before = time.monotonic() + QUIET_WITHIN, {"": 0.0}
        while (now := self._writes()) != before and time.monotonic() < end:
            before = now
            time.sleep(QUIET_FOR)

    def _writes(self) -> dict[str, float]:
        return api_writes(self._lab.kubectl("get", "--raw", "/metrics"))


def _percent(before: Usage, after: Usage, seconds: float) -> float:
    return round((after.cpu_seconds - before.cpu_seconds) / seconds * 100, 1)
