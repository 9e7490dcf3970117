"""Clusters at random, small enough that their objects get in each other's way.

Every object is one number, whose digits say what it is: that is quick to draw, and shrinks to the
plainest of all objects, which is 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from duravip_api import EXCLUDE_LABEL
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, parsing
from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Snapshot, Suspicion, VipObject

NODES = ("n1", "n2", "n3", "n4")
ADDRESSES = 12
LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
GONE = Suspicion(unreachable_on=frozenset({"eth1"}), is_self_fenced=True, is_lasting=True)
TURNS = 10
"""So many passes at most until everything is at rest."""

NUMBERS = st.integers(0, 2**28)


def vip(number: int, age: int) -> VipObject:
    """The object that a number stands for."""
    digits = _digits(number)
    address = next(digits) % ADDRESSES + 1
    kind = "DuraVIP" if next(digits) % 2 else "Binding"
    spec: dict[str, Any] = {"address": f"10.1.1.{address}"}
    target = next(digits)
    if kind == "DuraVIP" and target % 3 == 1:
        spec["follow"] = f"b{target + 1}"
    elif preferred := next(digits) % 3:
        spec["preference"] = (*NODES, "n9")[(target + preferred) % 5]
    if zone := next(digits) % 4 // 2:
        spec["nodeSelector"] = {"zone": "ab"[zone % 2]}
    if next(digits) == 5:
        spec["enableDuravip"] = False
    other = next(digits)
    spec |= ({}, {"failback": "Never"}, {"failback": "1m"}, {"balance": "Never"})[next(digits) % 4]
    name = f"b{address}" if other else "b1"  # one Binding name with two addresses now and then
    metadata = {
        "name": name if kind == "Binding" else f"d{address}-{target % 2}",
        "namespace": "other" if other == 1 else "default",
        "uid": f"{age}",
        "creationTimestamp": f"2026-01-01T00:00:{age:02d}Z",
    }
    return parsing.vip_object(kind, {"metadata": metadata, "spec": spec})  # type: ignore[arg-type]


def vips(numbers: Sequence[int]) -> tuple[VipObject, ...]:
    """Of those that have one name only the first is there, as in an API server."""
    found: dict[tuple[str, str, str], VipObject] = {}
    for age, number in enumerate(numbers):
        one = vip(number, age)
        found.setdefault((one.kind, one.namespace, one.name), one)
    return tuple(found.values())


def cluster(objects: tuple[VipObject, ...], fates: Sequence[int] = (0, 0, 0, 0)) -> Snapshot:
    """Four nodes in two zones, and what has become of each."""
    nodes, liveness = {}, {}
    for number, (name, fate) in enumerate(zip(NODES, fates, strict=True)):
        excluded = {EXCLUDE_LABEL: "true"} if fate == 2 else {}
        nodes[name] = Node(name, {"zone": "ab"[number % 2], **excluded})
        liveness[name] = (Liveness.ALIVE, Liveness.SUSPECT, Liveness.ALIVE, Liveness.WARMING_UP)[
            fate
        ]
    return Snapshot(
        vips=objects,
        topologies=(LAN,),
        nodes=nodes,
        plumbings={name: _plumbing(name, 11 + n) for n, name in enumerate(NODES)},
        liveness=liveness,
        suspicions={name: GONE for name, heard in liveness.items() if heard is Liveness.SUSPECT},
        witnessed=dict.fromkeys(NODES, frozenset({"eth1"})),
    )


def settled(snapshot: Snapshot, last: decision.Decision | None = None) -> Snapshot:
    """The cluster once all agents that live have done what pass after pass decided."""
    for _ in range(TURNS):
        last = decision.decide(snapshot, {}, last)
        grants = {name: last.plans[name].grants for name in snapshot.plumbings}
        plumbings = {
            name: replace(
                plumbing,
                grants=grants[name],
                served=frozenset().union(*grants[name].values())
                if name not in snapshot.suspicions
                else plumbing.served,
            )
            for name, plumbing in snapshot.plumbings.items()
        }
        if plumbings == snapshot.plumbings:
            return snapshot
        snapshot = replace(snapshot, plumbings=plumbings)
    raise AssertionError("the cluster does not come to rest")


def _plumbing(name: str, host: int) -> Plumbing:
    nic = Nic(name="eth1", index=2, up=True, carrier=True, addresses=[f"10.1.0.{host}/16"])
    return Plumbing(name, generation=1, observed_generation=1, nics={"eth1": nic})


def _digits(number: int) -> Iterator[int]:
    while True:
        number, digit = divmod(number, ADDRESSES)
        yield digit
