"""A cluster in memory for the scenarios: API objects, obedient agents, the real core.

Time passes only by turns: after each `when` the world settles, as a cluster does that is left
alone. With `balance` given, rounds of so many moves are part of that (0: one in twenty).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from duravip_api import timing
from duravip_api.annotations import format_time
from duravip_api.heartbeat import address_digest
from duravip_api.reasons import MoveReason
from duravip_operator.core import (
    address_status,
    decision,
    handover,
    nodeplumbing_spec,
    object_status,
    parsing,
    quarantine,
    readiness,
    releases,
    stability,
    well_nodes,
)
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.moves import PendingMoves, first_owner_reason, update_pending_moves
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot
from scenarios.endpoint_slices import slice_of
from scenarios.fates import Fates
from scenarios.files import CLUSTER_SCOPED, forms, identity
from scenarios.load_balancers import LoadBalancers, service_spec
from scenarios.machine import Machine

Body = dict[str, Any]
PASSES = 200
EPOCH = 1
GIVE_UP_AFTER = 10.0
EPOCH_START = 1767225600.0
"""When the clock was 0, in seconds since 1970."""


class World(Fates, LoadBalancers):
    """Everything that an API server and the nodes know."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.machines: dict[str, Machine] = {}
        self.strangers: dict[str, str] = {}
        self.moves: Counter[tuple[str, str, str]] = Counter()
        """How often each object's owner has changed."""
        self.max_aliases = int(given.get("maxAliases", 10240))
        self.balance: int | None = given.get("balance")
        self.services_are_default = bool(given.get("servicesAreDefault"))
        self.told, self.pools = [], {}
        self.clock = 0
        self.is_sound = True
        """Whether what nodes report has the form of its kind."""
        self._decided: decision.Decision | None = None
        self._memory: releases.ReleaseRecords = {}
        self._verdicts: dict[str, AddressStatus] = {}
        self._departures: PendingMoves = {}
        self._troubles: quarantine.HoldFailures = {}
        self._differences: quarantine.Mismatches = {}
        self._duplicates: address_status.DuplicateHolderTable = {}
        self._last_plans: dict[str, handover.Plan] = {}
        self._stability = stability.Stability(mature=timing.MATURE)
        self.slices: dict[str, Body] = {}
        self._fitness = readiness.ReadinessRecords()
        for number, (name, form) in enumerate(forms(given.get("nodes", {})).items(), 11):
            interfaces = form.get("interfaces", ["eth0", "eth1"])
            self.machines[name] = Machine(
                number,
                dict.fromkeys(interfaces, True),
                labels=dict(form.get("labels", {})),
                own=dict(form.get("addresses", {})),
            )
        self.endpoints(given.get("endpoints", {}))
        self.apply(given.get("objects", []))
        self.settle()

    # --- what people and fate do: the verbs of `when`

    def apply(self, objects: list[Body]) -> None:
        """Create or change objects, as `kubectl apply` does."""
        for body in objects:
            self.clock += 1
            is_wide = body["kind"] in CLUSTER_SCOPED
            namespace = "" if is_wide else body.get("namespace", "default")
            key = (body["kind"], namespace, body["name"])
            known = self.objects.get(key)
            meta = known["metadata"] if known else self._new_metadata(key)
            generation = meta["generation"] + 1 if known else 1
            annotations = {
                name: text.replace("@now", f"@{_time(self.clock)}")
                for name, text in body.get("annotations", {}).items()
            }
            spec = body.get("spec", {})
            self.objects[key] = {
                "metadata": {**meta, "generation": generation, "annotations": annotations},
                "spec": service_spec(spec) if body["kind"] == "Service" else spec,
                "status": known["status"] if known else {},
            }

    def delete(self, names: list[str]) -> None:
        """Delete objects by `Kind name` or `Kind namespace/name`."""
        for name in names:
            del self.objects[identity(name)]

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock += seconds

    def endpoints(self, services: Mapping[str, Mapping[str, str] | None]) -> None:
        """Services have exactly these endpoints, each by node; without any list, no slice."""
        for service, states in services.items():
            self.slices.pop(service, None)
            if states is not None:
                self.slices[service] = slice_of(service, states)

    def flap(self, how: Mapping[str, Any]) -> None:
        """Two states of a Service by turns, so many times each, and each for so many seconds."""
        for _ in range(how["times"]):
            for states in how["states"]:
                self.endpoints({how["service"]: states})
                for _ in range(how["seconds"]):
                    self._turn()

    # --- the operator

    def settle(self) -> None:
        """Passes and agents in turn until nothing changes any more."""
        for _ in range(PASSES):
            if not self._turn() and not (self.balance is not None and self._turn(self.balance)):
                return
        raise AssertionError("the world does not settle")

    def _turn(self, balance: int | None = None) -> bool:
        self.clock += 1
        before = repr((self.objects, self.machines))
        self._plan_services(_time(self.clock))
        self._make_plumbings()
        snapshot = self._with_readiness(replace(self.snapshot(), balance_moves=balance))
        snapshot = self._kept_watch(snapshot)
        self._memory = releases.update_records(self._memory, snapshot)
        decided = decision.decide(snapshot, self._memory, self._decided)
        self._memory = releases.limit_to_owned(self._memory, decided.assignments)
        self._decided = decided
        causes = {address: chosen.cause for address, chosen in decided.assignments.items()}
        self._fitness = readiness.record_moves(self._fitness, causes, self.clock)
        self._report(snapshot, decided)
        for name, plumbing in snapshot.plumbings.items():
            self._last_plans[name] = decided.plans[name]
            tasks = (decided.demand.ports, decided.checks.get(name, ()))
            if (
                not decided.plans[name].is_in(plumbing)
                or (plumbing.ports, plumbing.checks) != tasks
            ):
                self._write(name, decided, plumbing)
        for machine in self.machines.values():
            if machine.agent and machine.plumbing:
                machine.act(self.strangers)
        if self.is_sound:
            self._never_two()
        return repr((self.objects, self.machines)) != before or bool(self._fitness.moved)

    def _with_readiness(self, seen: Snapshot) -> Snapshot:
        """The same, and which nodes are fit for what."""
        found = readiness.with_fitness(seen, readiness.table_of(self.slices.values()))
        self._fitness = readiness.update_records(self._fitness, found.fit_nodes, self.clock)
        return readiness.with_records(found, self._fitness)

    def _kept_watch(self, seen: Snapshot) -> Snapshot:
        """The same, and what has lasted too long."""
        now, beats = float(self.clock), {}
        for name, machine in self.machines.items():
            if machine.hearing is Liveness.ALIVE and machine.plumbing["status"]:
                beats[name] = machine.beat()
        self._troubles = quarantine.update_failures(
            self._troubles, seen.plumbings, now, GIVE_UP_AFTER
        )
        self._differences = quarantine.update_mismatches(
            self._differences, seen.plumbings, beats, lambda p: address_digest(p.served), now
        )
        gone = {name for name, silence in seen.suspicions.items() if silence.is_self_fenced}
        self._duplicates = address_status.update_duplicates(
            self._duplicates, seen.plumbings, gone, now
        )
        self._stability = stability.update(
            self._stability, well_nodes.sightings(seen), seen.plumbings.keys(), now
        )
        return replace(
            seen,
            stability=self._stability,
            duplicate_holders=address_status.lasting_duplicates(self._duplicates, now),
            quarantined=quarantine.quarantined(self._troubles),
            quarantined_until=quarantine.quarantine_ends(
                self._troubles, now, EPOCH_START + now, {}
            ),
            untrusted=quarantine.inconsistent_nodes(self._differences),
        )

    def snapshot(self) -> Snapshot:
        """What the operator sees."""
        bodies = self.objects.items()
        return Snapshot(
            vips=tuple(
                parsing.vip_object(kind, body)  # type: ignore[arg-type]
                for (kind, *_), body in bodies
                if kind in {"DuraVIP", "Binding"}
            ),
            topologies=tuple(
                parsing.topology(body) for (k, *_), body in bodies if k == "Topology"
            ),
            nodes={
                name: parsing.node({"metadata": {"name": name, "labels": machine.labels}})
                for name, machine in self.machines.items()
                if "deleted" not in machine.labels
            },
            plumbings={n: parsing.plumbing(m.plumbing) for n, m in self.machines.items()},
            liveness={name: machine.hearing for name, machine in self.machines.items()},
            suspicions={
                name: machine.silence
                for name, machine in self.machines.items()
                if machine.hearing is Liveness.SUSPECT
            },
            witnessed={
                name: frozenset(machine.interfaces) - machine.unwitnessed
                for name, machine in self.machines.items()
            },
            max_aliases=self.max_aliases,
        )

    def _make_plumbings(self) -> None:
        for name, machine in self.machines.items():
            if not machine.plumbing:
                self.clock += 1
                meta = {"name": name, "uid": f"uid-{self.clock}", "generation": 1}
                spec = nodeplumbing_spec.build(
                    self._last_plans.get(name, handover.Plan()), EPOCH, ()
                )
                machine.plumbing = {"metadata": meta, "spec": spec, "status": {}}

    def _write(self, name: str, decided: decision.Decision, before: Plumbing) -> None:
        body = self.machines[name].plumbing
        body["spec"] = nodeplumbing_spec.build(
            decided.plans[name],
            EPOCH,
            (),
            decided.demand.ports,
            ports_decide=decided.demand.ports_decide,
            checks=decided.checks.get(name, ()),
        )
        body["metadata"]["generation"] += 1
        self._memory = releases.after_write(self._memory, before, parsing.plumbing(body))

    def _report(self, snapshot: Snapshot, decided: decision.Decision) -> None:
        moment = object_status.Timestamp(0.0, _time(self.clock))  # no gap is measured here
        after = update_pending_moves(
            self._departures, self._verdicts, decided, lambda _: moment.now
        )
        for vip in snapshot.vips:
            verdict, departure = decided.status_of(vip), self._departures.get(vip.address)
            unit = decided.units.get(vip.address)
            first = first_owner_reason(unit, verdict.owner) if unit else MoveReason.ELECTED
            status = object_status.object_status(vip, verdict, departure, moment, first)
            key = (vip.kind, vip.namespace, vip.name)
            move = status.get("lastMove")
            self.moves[key] += bool(move and move != vip.status.get("lastMove"))
            self.objects[key]["status"] = status
        counts = decided.addresses_in()
        for topology in decided.topologies:
            status = object_status.topology_status(
                topology, counts[topology.name], snapshot, moment.time
            )
            self.objects["Topology", "", topology.name]["status"] = status
        self._departures, self._verdicts = after, dict(decided.address_statuses)

    def _never_two(self) -> None:
        served = [
            address
            for machine in self.machines.values()
            if machine.hearing is not Liveness.SUSPECT
            for address in (machine.plumbing.get("status") or {}).get("served", [])
            if address not in machine.boasts
        ]
        twice = {address for address in served if served.count(address) > 1}
        assert not twice, f"two nodes serve {twice}"

    def _new_metadata(self, key: tuple[str, str, str]) -> Body:
        kind, namespace, name = key
        return {
            "name": name,
            "namespace": namespace,
            "uid": f"{kind}/{namespace}/{name}@{self.clock}",
            "creationTimestamp": _time(self.clock),
            "generation": 0,
        }


def _time(clock: int) -> str:
    return format_time(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=clock))
