"""The agent of the long histories: what it is told, and what it says of itself.

Its parts run one at a time, as the threads of the program do: `beat`, `watch`, `read`, `turn` and
`report`. What is held does not run; datagrams wait for it.
"""

from collections.abc import Mapping

from duravip_agent.core.node_spec import Placement
from duravip_agent.core.node_status import ConditionState, StatusReport, build_status
from duravip_api.heartbeat import address_digest
from duravip_api.reasons import Reason
from duravip_runtime.api_error import ApiError
from simulation.histories.apiserver import Body, Key, Watch
from simulation.histories.heart import Heart, Surroundings
from simulation.histories.network import FOR_EVER, Machine

TELLS_APART = 1e-6
"""What happens in one tick happens in some order."""
PARTS = ("beat", "watch", "read", "turn", "report")


class Agent(Heart):
    """One start of the program on a node; its loop is in `turns`."""

    def __init__(self, around: Surroundings, machine: Machine, boot: str) -> None:
        super().__init__(around, machine, boot)
        self.key = Key("NodePlumbing", machine.name)
        self.wanted: Mapping[str, Placement] | None = None
        self.failures: dict[str, str] = {}
        self.contested: dict[str, str] = {}
        self._watch = self._watch_anew()
        self._next_boot = boot
        self._acted: int | None = None
        self._renewals = 0
        self._strict: tuple[str, ...] = ()
        self._said: object = None
        self._status: Body | None = None
        self._uid = ""
        self.ending: Reason | None = None
        self.lie: tuple[str, ...] = ()
        """What it reports as its own and as served, though that is not so."""
        machine.held, machine.fed_at = set(), FOR_EVER
        self.publish()

    def _watch_anew(self) -> Watch:
        return Watch(self.around.api, frozenset({"NodePlumbing"}), self.machine.name)

    def step(self, part: str) -> None:
        """A part does as little as it can."""
        getattr(self, "watch_one" if part == "watch" else part)()

    def watch(self) -> None:
        """The watch tells of all that has changed."""
        while self.watch_one():
            pass

    def watch_one(self) -> bool:
        """The watch tells of one change; whether there was any."""
        change = self._watch.next() if self.is_connected else None
        if change is None:
            return False
        if change.is_deleted:
            if self.specs.object_deleted():
                self.publish()
        else:
            self._put_back(change.body)
            self._take_up(change.body)
        return True

    def _put_back(self, body: Body) -> None:
        """Say again what somebody has overwritten."""
        conditions = (body.get("status") or {}).get("conditions") or ()
        has_ended = any(said["reason"] == Reason.AGENT_STOPPED for said in conditions)
        if has_ended and not self.has_ended:
            self._said = None
            self.publish()

    def say_goodbye(self) -> None:
        """Say that it has ended, in a beat and in the status."""
        self.ending, self.has_ended = Reason.AGENT_STOPPED, True
        self.publish()
        self.send()
        self.report()

    def read(self) -> None:
        """Read the object anew, if an acknowledgement has named a newer one."""
        body = self.around.api.read(self.key)
        if self.must_read and self.is_connected and body:
            self.must_read = False
            self._take_up(body, self.now)

    def confirm(self) -> None:
        """Act on what is in a store that has gone back, once a leader goes by it."""
        if self.specs.confirm(self.contact, frozenset(self.machine.held)):
            self.wanted = self.specs.in_force.wanted
            self.must_hurry = True
            self.publish()

    def _goes_back(self, body: Body, asked: float | None) -> bool:
        """Begin anew if the object shows that the store has gone back."""
        if asked is not None:
            asked += TELLS_APART
        if not self.specs.detect_rollback(body, asked):
            return False
        self._renewals += 1
        self._next_boot = f"{self.boot}+{self._renewals}"
        self._watch, self._said = self._watch_anew(), None
        self.forget_answers()
        self.publish()
        return True

    def forget_answers(self) -> None:
        """What the segment said was said under another spec, though its number may come again."""

    def _take_up(self, body: Body, asked: float | None = None) -> None:
        if self._goes_back(body, asked):
            return
        if body["metadata"]["uid"] != self._uid and self._uid:
            self._said = None  # another object: it is told all that the former one was
        if "epoch" in self.around.weak:
            self.specs.epoch = None
        if self.specs.accept(body, self.now):
            self.wanted = self.specs.in_force.wanted
            self.must_hurry = True
        self.confirm()

    @property
    def served(self) -> frozenset[str]:
        """What may be heard of this node."""
        return frozenset(self.machine.held & self.machine.aliases.keys())

    def publish(self) -> None:
        """Say what is there, if that is something new."""
        specs, served = self.specs, self.served
        if not specs.is_current:
            self._acted = None
        elif self.wanted is not None and served <= self.wanted.keys():
            self._acted, self._strict = specs.in_force.generation, specs.in_force.strict
        self.digest = address_digest(served)
        facts = (self._acted, specs.epoch, served, self._strict, self.ending, self.lie)
        says = (*facts, dict(self.failures), dict(self.contested), dict(self.machine.up))
        if says == self._said:
            return
        self._said = says
        reason = Reason.AGENT_STARTING if self._acted is None else Reason.AGENT_READY
        report = StatusReport(
            version="0",
            boot=self._next_boot,
            readiness=ConditionState(self.ending or reason, self.around.clock.stamp),
            observed=self.machine.observed(),
            generation=self._acted,
            epoch=specs.epoch,
            failures=self.failures,
            served=served,
            contested=self.contested,
            strict=self._strict,
        )
        self._status = _lied(build_status(report), self.lie)

    def report(self) -> None:
        """Write what was said last."""
        if self._status is None or not self.is_connected:
            return
        try:
            body = self.around.api.put_status(self.key, self._status)
        except ApiError:
            return  # there is no object
        self._status = None
        if self._goes_back(body, self.now):
            return
        self._uid = body["metadata"]["uid"]
        if not self.specs.is_first_report_stored:
            self.specs.first_report_stored(body, self.now)
            self.boot = self._next_boot
        self._take_up(body)


def _lied(status: Body, claimed: tuple[str, ...]) -> Body:
    """The status of an agent that calls these its own, on every interface, and served by it."""
    if not claimed:
        return status
    own = [f"{address}/{128 if ':' in address else 32}" for address in claimed]
    nics = [{**nic, "addresses": [*nic["addresses"], *own]} for nic in status["nics"]]
    return {**status, "nics": nics, "served": sorted({*status["served"], *claimed})}
