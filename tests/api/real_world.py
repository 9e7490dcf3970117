"""The world of the scenarios made of real programs: an API server, an operator and agents."""

import time
from collections.abc import Mapping
from typing import Any, Final

from api.real_api import PLURALS, RealApi
from api.real_fates import RealFates
from api.real_nodes import RealNodes
from api.real_objects import (
    Body,
    claim,
    granted,
    holds,
    is_observed,
    is_ready,
    look,
    look_at_pool,
    look_at_service,
    manifest,
    served,
)
from api.real_strangers import Strangers
from bench.scrapes import value
from duravip_operator.watch.endpoint_slices import RESTART_PAUSE_S
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet, wait_until
from scenarios.files import forms, identity

METRICS: Final = "http://127.0.0.1:9480/metrics"
ABSENT: Final[Body] = {"exists": False}
PATIENCE: Final = 30
LINGER: Final = 0.8
"""What was wanted before anything was done must still be there after so many seconds."""
WATCHED: Final = 0.2
"""What the API server knows, the operator has seen so many seconds later."""


class RealWorld(RealFates):
    """Everything that an API server and the nodes know. The operator runs beside the nodes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._fleet = Fleet(lab)
        self._api = RealApi(lab)
        self.nodes = RealNodes(lab, self._fleet, self._api)
        self.strangers = Strangers(lab)
        self._options: tuple[str, ...] = ()
        self._has_heard_others = False

    # --- what the runners call

    def begin(self, given: Mapping[str, Any]) -> None:
        """Clear away what the last scenario left, and let there be what this one is given."""
        self._api.delete_all()
        self.delete_slices()
        self.strangers.end_all([*self.lab.machines])
        nodes = forms(given.get("nodes", {}))
        self.nodes.prepare(nodes)
        self._run_operator(options(given), is_alone=len(nodes) == 1)
        wait_until(lambda: self._is_empty(set(nodes)), "the nodes are there, and empty")
        time.sleep(WATCHED)
        objects, endpoints = given.get("objects", []), given.get("endpoints", {})
        self.endpoints(endpoints)
        if endpoints:  # so that they are watched as soon as they are named
            time.sleep(RESTART_PAUSE_S)
        # The Topologies come last: then everything is elected in one pass, as in memory.
        self.apply([body for body in objects if body["kind"] not in {"Topology", "Service"}])
        wait_until(self._is_read, "every object is read", PATIENCE)
        self.apply([body for body in objects if body["kind"] == "Topology"])
        # Services after them: without a Topology they would be refused.
        self.apply([body for body in objects if body["kind"] == "Service"])
        wait_until(self._is_settled, "the nodes serve what they are granted", PATIENCE)

    def expect(self, wanted: Mapping[str, Body], *, is_new: bool = True) -> None:
        """Wait until every object is as wanted, and stays so if something `is_new`."""
        if is_new and not self._differences(wanted):
            time.sleep(LINGER)
        end = time.monotonic() + PATIENCE
        while differences := self._differences(wanted):
            assert time.monotonic() < end, differences
            time.sleep(0.1)

    # --- what people do

    def apply(self, objects: list[Body]) -> None:
        """Create or change objects; of those that claim one thing the first is the oldest."""
        batch: list[Body] = []
        for body in objects:
            if any(claim(body) == claim(other) for other in batch):
                self._apply(batch)
                time.sleep(1.05 - time.time() % 1)  # the age of objects counts in whole seconds
                batch = []
            batch.append(body)
        if batch:
            self._apply(batch)

    def delete(self, names: list[str]) -> None:
        """Delete objects by `Kind name` or `Kind namespace/name`."""
        for who in names:
            kind, namespace, name = identity(who)
            self._api.delete(kind, namespace, name)

    def restart_operator(self, _: object) -> None:
        """End it, and start another one."""
        self._fleet.operators["cp"].terminate()
        self._fleet.operators["cp"].wait()
        self._fleet.start_operator("cp", *self._options, mature=0.5)

    # --- how it is

    def _apply(self, batch: list[Body]) -> None:
        for namespace in sorted({body["namespace"] for body in batch if "namespace" in body}):
            self._api.create_namespace(namespace)
        for body in batch:
            self._api.apply(manifest(body))

    def _run_operator(self, wanted: tuple[str, ...], *, is_alone: bool) -> None:
        """Start it anew for other options, and for a node alone, which no other one may know."""
        operator = self._fleet.operators.get("cp")
        is_fit = self._options == wanted and not (is_alone and self._has_heard_others)
        if not (operator and operator.is_running and is_fit):
            if operator:
                operator.terminate()
                operator.wait()
            self._options, self._has_heard_others = wanted, False
            self._fleet.start_operator("cp", *wanted, mature=0.5)
        self._has_heard_others |= not is_alone

    def vips(self) -> list[Body]:
        """All DuraVIPs and Bindings."""
        return self._api.listed("duravips") + self._api.listed("vipbindings")

    def _is_empty(self, nodes: set[str]) -> bool:
        """Whether these nodes are all that there are, are heard, and hold nothing."""
        plumbings = self._api.listed("nodeplumbings")
        names = {body["metadata"]["name"] for body in plumbings}
        try:
            shown = self.lab.machines["cp"].run(["curl", "-sf", METRICS])
        except LabError:
            return False
        heard = value(shown, "duravip_operator_nodes", hearing="alive")
        return (
            names == nodes
            and not self.vips()
            and heard == len(nodes)
            and all(map(is_ready, plumbings))
            and not any(map(holds, plumbings))
        )

    def _is_read(self) -> bool:
        return all(
            is_observed(body) for plural in PLURALS.values() for body in self._api.listed(plural)
        )

    def _is_settled(self) -> bool:
        if not self._is_read():
            return False
        # Listed after that, and in this order: grants are written before statuses are.
        plumbings, vips = self._api.listed("nodeplumbings"), self.vips()
        if not all(map(is_observed, vips)):  # one was generated meanwhile
            return False
        owned = {body["spec"].get("address") for body in vips if body["status"].get("owner")}
        return (
            all(granted(body) == served(body) and is_observed(body) for body in plumbings)
            and all(body["status"]["state"] != "Moving" for body in vips)
            and all(owned.issuperset(served(body)) for body in plumbings)
        )

    def _differences(self, wanted: Mapping[str, Body]) -> list[str]:
        found, looks = [], self._looks()
        for who, fields in wanted.items():
            shown = looks.get(identity(who), ABSENT)
            wishes = {name: value for name, value in fields.items() if name != "told"}
            if {name: shown.get(name) for name in wishes} != wishes:
                found.append(f"{who}: wanted {wishes}, is {shown}")
        return found

    def look(self, who: str) -> Body:
        """What `then` can ask of an object or a node, as it stands."""
        return self._looks().get(identity(who), ABSENT)

    def _looks(self) -> dict[tuple[str, str, str], Body]:
        """The same of everything."""
        looks = {identity(name): {"serves": []} for name in self.lab.machines}
        for body in self._api.listed("nodeplumbings"):
            looks[identity(body["metadata"]["name"])] = {"serves": served(body)}
        for kind, plural in PLURALS.items():
            for body in self._api.listed(plural):
                shown = look_at_pool(body) if kind == "AddressPool" else look(body)
                looks[_who(kind, body)] = shown
        looks |= {_who("Service", body): look_at_service(body) for body in self._api.services()}
        return looks


def _who(kind: str, body: Body) -> tuple[str, str, str]:
    meta = body["metadata"]
    return kind, meta.get("namespace", ""), meta["name"]


def options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The operator's options in a scenario."""
    size = given.get("balance")
    rounds = () if size is None else ("--balance-interval=1", f"--balance-set-size={size}")
    return (*rounds, f"--max-aliases={given.get('maxAliases', 10240)}")
