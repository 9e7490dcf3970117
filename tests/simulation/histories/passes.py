"""The passes of a replica in the long histories: what it decides, and how that is written.

As in the program's loop: a pass is made when something is new, and the next one only when all that
it has decided is written.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from duravip_operator.core import (
    decision,
    handover,
    heartbeat_evidence,
    nodeplumbing_spec,
    parsing,
    releases,
)
from duravip_operator.core.snapshot import Plumbing, Snapshot
from duravip_operator.settings import Settings
from duravip_operator.snapshot_builder import SnapshotBuilder
from duravip_runtime.api_error import ApiError
from simulation.histories.apiserver import Body, Key
from simulation.histories.ears import MATURE, Reach
from simulation.histories.heart import Surroundings
from simulation.histories.replica import Replica
from simulation.histories.reporting import Reporting
from simulation.histories.weakened import weaker_facts, weaker_memory, weaker_plans

PULSE = ("o0:1", "o1:1")
SETTINGS = Settings.model_construct(mature=MATURE)
BALANCE_EVERY = 2.0
"""Seconds: much less than usual, so that histories are shorter."""


class Write(NamedTuple):
    """A spec that is on its way; `before` is what it was decided on."""

    before: Plumbing
    spec: Body


class _WeakSnapshotBuilder(SnapshotBuilder):
    """The program's, which may be weakened."""

    weak: Collection[str] = ()

    def confirmed_release_by_heartbeat(self, plumbing: Plumbing) -> bool:
        """Weakened: the generation alone is believed."""
        if "let-go" not in self.weak:
            return super().confirmed_release_by_heartbeat(plumbing)
        heard = self.pulse.beats().get(plumbing.node)
        return (
            heard is not None
            and not plumbing.has_acted
            and heard.generation == plumbing.generation
        )

    def build(self, balance: int | None = None) -> Snapshot:
        """Weakened: whoever is said to have ended has, heard or not."""
        found = super().build(balance)
        if "goodbye" not in self.weak:
            return found
        return replace(found, plumbings=dict(self.store.plumbings))


class DecidingReplica(Replica):
    """The replica with its passes."""

    def __init__(self, around: Surroundings, name: str, reach: Reach) -> None:
        super().__init__(around, name, reach)
        self.loses_answer = False
        """Whether its next write is carried out without its learning of it."""
        self.writes: list[Write] = []
        self._started = self._balanced = self.now
        self._must_hurry = False
        self._restorations = 0
        self._seen: tuple[object, object, Mapping[str, heartbeat_evidence.HeartbeatState]] = (
            None,
            None,
            {},
        )
        self._epoch: int | None = None
        self._memory: releases.ReleaseRecords = {}
        self._decided: decision.Decision | None = None
        self._asked: dict[str, Any] = {}
        """What people asked for at the last pass."""
        self._snapshots = _WeakSnapshotBuilder(
            SETTINGS, self.caches, self.ears, self.node_health, lambda: self.now
        )
        self._snapshots.weak = around.weak
        self._reporting = Reporting(around)

    def step(self, part: str) -> None:
        """A part does as little as it can."""
        if part == "watch":
            self.watch_one(self._people)
        elif part == "plumbings":
            self.watch_one(self._machines)
        elif part == "write":
            self.write_one()
        else:
            getattr(self, part)()

    def has_forgotten(self, address: str) -> bool:
        """Whether it knows that nobody names an address, and has decided since it learnt that."""
        names = (vip.address for vip in self.caches.vips.values())
        is_over = not (self.writes or self.is_awake or self._must_hurry)
        return address not in names and (is_over or self.epoch is None)

    def decide(self) -> None:
        """Make a pass, if anything is new and all that the last one wanted is written."""
        epoch = self.epoch
        self.tell_ears(epoch)
        seen = (epoch, self.ears.view(), dict(self.ears.beats()))
        is_time = self.now - self._balanced >= BALANCE_EVERY
        if self.writes or not (self.is_awake or seen != self._seen or is_time):
            return
        self._must_hurry |= any(map(self._lets_go, self._fresh()))
        self._seen, self.is_awake = seen, False
        if epoch != self._epoch:
            self._epoch, self._memory, self._decided = epoch, {}, None
            if epoch is not None:
                is_restored = self.caches.restore_count != self._restorations
                self._restorations = self.caches.restore_count
                is_noticed = is_restored and "restore" not in self.around.weak
                self._snapshots.restored_in = epoch if is_noticed else None
            self._reporting.forget()
            self.node_health.begin(self.caches.vips.values())
            self.node_health.look(self.caches, self.ears)
        if epoch is not None:
            self._pass(epoch, is_time=is_time)

    def write(self) -> None:
        """Bring all writes to an end."""
        while self.writes:
            self.write_one()

    def write_one(self) -> None:
        """Bring one write to its end: it counts only on exactly what was read."""
        if not self.writes:
            return
        before, spec = self.writes.pop(0)
        self.is_awake |= not self.writes
        if not self.is_connected:
            self.writes.clear()
            self.is_awake = True
            return
        key = Key("NodePlumbing", before.node)
        try:
            if not before.uid:
                self.around.api.create(key, spec)
                return
            exactly = (before.uid, before.generation, before.epoch)
            is_free = "conditional-write" in self.around.weak
            body = self.around.api.replace_spec(key, spec, None if is_free else exactly)
        except ApiError:
            self.caches.reread(before.node)
            return
        if self.loses_answer:
            self.loses_answer, self.is_awake = False, True
            return
        after = parsing.with_spec_of(before, body)  # the program is not told of the status
        if before.stopped or before.node in self.ears.view().silences:
            self._must_hurry |= not before.granted <= after.granted
        self._memory = releases.after_write(self._memory, before, after)
        self.caches.apply_own_write(after)
        self.tell_ears(self.epoch)

    def _pass(self, epoch: int, *, is_time: bool) -> None:
        weak = self.around.weak
        if is_time:
            self._balanced = self.now
        snapshot = self._snapshots.build(0 if is_time else None)
        is_next = self._must_hurry and self._decided is not None
        if is_next:  # what people ask for since comes later
            snapshot = replace(snapshot, **self._asked)
        self._asked = {"vips": snapshot.vips, "topologies": snapshot.topologies}
        self._memory = releases.update_records(self._memory, snapshot)
        if self._prepare(snapshot, epoch) or not self._snapshots.warmup_done(snapshot):
            return
        facts = weaker_facts(snapshot, weak)
        memory = weaker_memory(self._memory, facts, weak)
        if is_next and self._decided:
            decided = decision.continue_handover(self._decided, facts, memory)
        else:
            decided = decision.decide(facts, memory, self._decided)
            self._memory = releases.limit_to_owned(self._memory, decided.assignments)
        self._decided, self._must_hurry = decided, False
        self.is_awake |= is_next
        plans = weaker_plans(decided, snapshot, weak)
        for name, plumbing in snapshot.plumbings.items():
            if not plans[name].is_in(plumbing):
                self._will_write(plumbing, plans[name], epoch)
        # The worst order that a network can make.
        self.writes.sort(key=lambda write: -int(write.spec["grantedCount"]))
        if self.is_connected:
            self._reporting.report(snapshot, decided)

    def _fresh(self) -> list[str]:
        """The nodes whose beats have said something new since the last pass."""
        before = self._seen[2]
        return [name for name, heard in self.ears.beats().items() if before.get(name) != heard]

    def _lets_go(self, node: str) -> bool:
        plumbing = self.caches.plumbings.get(node)
        return plumbing is not None and self._snapshots.confirmed_release_by_heartbeat(plumbing)

    def _prepare(self, snapshot: Snapshot, epoch: int) -> bool:
        """One NodePlumbing a Node, and our epoch in every one; whether that takes any writing."""
        for plumbing in snapshot.plumbings.values():
            if plumbing.epoch != epoch and "epoch" not in self.around.weak:
                is_restored = self._snapshots.restored_in is not None
                plan = handover.restamped_plan(plumbing, is_restored=is_restored)
                self._will_write(plumbing, plan, epoch)
        missing = (
            {}
            if self.writes
            else nodeplumbing_spec.to_create(snapshot, self.last_plans, self._memory)
        )
        for name, plan in missing.items():
            known = nodeplumbing_spec.unconfirmed_field_of_new(
                name, self.last_plans, snapshot, self._memory
            )
            self.writes.append(
                Write(Plumbing(name), nodeplumbing_spec.build(plan, epoch, PULSE) | known)
            )
        for plumbing in nodeplumbing_spec.to_delete(snapshot, self._memory):
            self.around.api.delete(Key("NodePlumbing", plumbing.node))
        return bool(self.writes)

    def _will_write(self, plumbing: Plumbing, plan: handover.Plan, epoch: int) -> None:
        left = releases.unconfirmed_after(self._memory, plumbing, plan.addresses)
        left = frozenset() if "unconfirmed" in self.around.weak else left
        known = nodeplumbing_spec.unconfirmed_field(plumbing, plan, left)
        if "unsaid" in self.around.weak:
            known = {}
        self.writes.append(Write(plumbing, nodeplumbing_spec.build(plan, epoch, PULSE) | known))
