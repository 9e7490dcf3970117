"""A replica of the operator in the long histories: what it reads, and whether it leads.

Everything that decides is the program's own: its caches, its elector's candidate, its core. Made
up is only the order in which its parts run. What is held does not run.
"""

from dataclasses import dataclass
from typing import Any

from duravip_operator.core import handover
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.leadership.elector import LeaseCandidate
from duravip_operator.leadership.lease_rule import RETRY_PERIOD_S, LeaseRecord
from duravip_operator.pulse.client import agent_identity
from duravip_operator.pulse.probe_targets import NodeTargets, targets_of
from duravip_operator.watch.store import KINDS, Kind, Store, observe
from duravip_runtime.api_error import ApiError
from simulation.histories.apiserver import ApiServer, Key, Watch
from simulation.histories.ears import Ears, Reach
from simulation.histories.heart import Surroundings
from simulation.histories.node_health import FailingNodes

PARTS = ("sweep", "watch", "plumbings", "elect", "listen", "look", "decide", "write")
PEOPLE: frozenset[Kind] = frozenset({"DuraVIP", "Binding", "Topology", "Node"})
MACHINES: frozenset[Kind] = frozenset({"NodePlumbing"})
SWEEP_EVERY = 10.0
"""Seconds: less than usual, so that histories are shorter."""


@dataclass
class LeaseAccess:
    """The Lease, as far as a replica reaches it."""

    around: Surroundings
    name: str

    def load(self) -> LeaseRecord:
        """Read it."""
        return self._reached().load()

    def save(self, wanted: LeaseRecord) -> LeaseRecord:
        """Write it."""
        return self._reached().save(wanted)

    def _reached(self) -> ApiServer:
        if self.name in self.around.network.control:
            raise ApiError("no answer")
        return self.around.api


class Replica:
    """One start of the operator; its passes are in `passes`."""

    def __init__(self, around: Surroundings, name: str, reach: Reach) -> None:
        self.around, self.name = around, name
        self.held: set[str] = set()
        """Those of its parts that stand still."""
        self.is_awake = False
        """Whether there is something new to decide from."""
        self.last_plans: dict[str, handover.Plan] = {}
        """What each NodePlumbing granted when it was seen last."""
        self.ears = Ears(around, name, reach)
        self.node_health = FailingNodes(around)
        self.caches = Store(
            self._wake, lambda node: around.api.read(Key("NodePlumbing", node)), _at_once
        )
        self._watch_anew()
        self._list()
        self._must_list, self._listed = False, self.now
        store = LeaseAccess(around, name)
        self._candidate = LeaseCandidate(
            name, store, lambda: self.now, around.api.unique_stamp, self.caches.reset_after_restore
        )
        self.caches.on_restore = self._begin_anew
        self._elected = float("-inf")
        self._entries: dict[str, tuple[Plumbing, NodeTargets]] = {}

    @property
    def now(self) -> float:
        """The time."""
        return self.around.clock.now

    @property
    def epoch(self) -> int | None:
        """That in which it believes to lead."""
        return self._candidate.epoch

    @property
    def is_connected(self) -> bool:
        """Whether it reaches the API server."""
        return self.name not in self.around.network.control

    def _watch_anew(self) -> None:
        self._people = Watch(self.around.api, PEOPLE)
        self._machines = Watch(self.around.api, MACHINES)

    def _begin_anew(self) -> None:
        """The store has gone back."""
        self._candidate.abandon()
        self._must_list = True
        self._watch_anew()

    def _list(self) -> None:
        for kind in KINDS:
            before = self.caches.snapshot_versions(kind)
            found = [observe(kind, body) for body in self.around.api.of_kind(kind)]
            self.caches.replace_all(kind, before, filter(None, found))

    def sweep(self) -> None:
        """List everything, now and then, and at once if the store has gone back.

        A watch may tell of what was undone since: a deletion just before a backup was restored.
        """
        is_time = self._must_list or self.now - self._listed >= SWEEP_EVERY
        if is_time and self.is_connected:
            self._must_list, self._listed = False, self.now
            self._list()

    def watch(self) -> None:
        """It is told of all that people have changed."""
        while self.watch_one(self._people):
            pass

    def plumbings(self) -> None:
        """It is told of all that the machines have changed."""
        while self.watch_one(self._machines):
            pass

    def watch_one(self, watch: Watch) -> bool:
        """It is told of one change; whether there was any."""
        change = watch.next() if self.is_connected else None
        if change is None:
            return False
        if change.is_deleted:
            self.caches.remove(change.key.kind, change.body)
        else:
            self.caches.put(change.key.kind, change.body)
        return True

    def listen(self) -> None:
        """The process that hears the beats comes round."""
        self.ears.run()

    def elect(self) -> None:
        """Renew the Lease, or take it."""
        if self.now - self._elected >= RETRY_PERIOD_S:
            self._elected = self.now
            try:
                self._candidate.round(self.caches.highest_epoch)
            except ApiError:
                return

    def look(self) -> None:
        """Look for what has lasted too long."""
        if self.epoch is not None and self.node_health.look(self.caches, self.ears):
            self.is_awake = True

    def tell_ears(self, epoch: int | None) -> None:
        """Who is to be heard, where they are, and which spec each of them should know of."""
        plumbings = self.caches.plumbings
        self.ears.know({name: agent_identity(plumbing) for name, plumbing in plumbings.items()})
        self.ears.tell(
            epoch,
            self._candidate.leads_until,
            {name: plumbing.generation for name, plumbing in plumbings.items()},
            {name: self._entry(plumbing) for name, plumbing in plumbings.items()},
        )

    def _entry(self, plumbing: Plumbing) -> NodeTargets:
        known = self._entries.get(plumbing.node)
        if known is None or known[0] is not plumbing:
            known = self._entries[plumbing.node] = (plumbing, targets_of(plumbing))
            self.last_plans[plumbing.node] = handover.current_plan(plumbing)
        return known[1]

    def _wake(self) -> None:
        self.is_awake = True


def _at_once(call: Any, *args: Any) -> None:
    call(*args)
