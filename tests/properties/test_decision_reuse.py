"""A pass that takes over what the last ones found out comes to what one from scratch comes to."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api import EXCLUDE_LABEL
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, parsing
from duravip_operator.core.snapshot import Liveness, Snapshot, VipObject
from properties.random_clusters import GONE, LAN, NODES, NUMBERS, cluster, vip, vips

MANY = settings(max_examples=150, derandomize=True, database=None, deadline=None)
EDITS = st.lists(st.tuples(st.integers(0, 99), NUMBERS), min_size=1, max_size=12)
SMALLER = parsing.topology(
    {"metadata": {"name": "part"}, "spec": {"cidr": "10.1.1.0/29", "interface": "eth1"}}
)
GATED = replace(LAN, namespaces=frozenset({"default"}), selector=(("zone", "a"),))
OTHERWISE = replace(LAN, generation=2, excludes_off_subnet=True)
"""The same addresses for the same people, but not on the same nodes."""
Edit = Callable[[Snapshot, int], Snapshot]


def _write(snapshot: Snapshot, number: int) -> Snapshot:
    """An object is made, or takes the place of one of its name."""
    new = vip(number, 20 + number % 30)
    left = [one for one in snapshot.vips if _key(one) != _key(new) and one.uid != new.uid]
    return replace(snapshot, vips=(*left, new))


def _delete(snapshot: Snapshot, number: int) -> Snapshot:
    which = number % (len(snapshot.vips) + 1)
    kept = snapshot.vips[:which] + snapshot.vips[which + 1 :]
    return replace(snapshot, vips=kept)


def _split_block(snapshot: Snapshot, number: int) -> Snapshot:
    blocks = (
        *((LAN,), (LAN, SMALLER), (), (replace(LAN),), (GATED,)),
        *((OTHERWISE,), (OTHERWISE, SMALLER), (replace(LAN, selector=GATED.selector),)),
    )
    return replace(snapshot, topologies=blocks[number % len(blocks)])


def _own_address(snapshot: Snapshot, number: int) -> Snapshot:
    """A node reports an address of its own that people ask for, or no longer does."""
    name = NODES[number % len(NODES)]
    own = f"10.1.1.{number % 13}/16"
    nics = {"eth1": Nic(name="eth1", index=2, up=bool(number % 5), carrier=True, addresses=[own])}
    plumbing = replace(snapshot.plumbings[name], nics=nics)
    return replace(snapshot, plumbings={**snapshot.plumbings, name: plumbing})


def _drain(snapshot: Snapshot, number: int) -> Snapshot:
    node = snapshot.nodes[NODES[number % len(NODES)]]
    zone = {"zone": "ab"[number % 2]}
    labels = zone if node.excluded else {EXCLUDE_LABEL: "", **zone}
    return replace(snapshot, nodes={**snapshot.nodes, node.name: replace(node, labels=labels)})


def _die(snapshot: Snapshot, number: int) -> Snapshot:
    name = NODES[number % len(NODES)]
    if name in snapshot.suspicions:
        liveness = {**snapshot.liveness, name: Liveness.ALIVE}
        return replace(snapshot, liveness=liveness, suspicions={})
    liveness = {**snapshot.liveness, name: Liveness.SUSPECT}
    return replace(snapshot, liveness=liveness, suspicions={**snapshot.suspicions, name: GONE})


CHANGES: tuple[Edit, ...] = (
    _write, _write, _write, _delete, _split_block, _own_address, _drain, _die,
)  # fmt: skip


@MANY
@given(st.lists(NUMBERS, max_size=14), EDITS)
def test_a_pass_after_any_edits_finds_what_one_from_scratch_finds(
    numbers: list[int], edits: list[tuple[int, int]]
) -> None:
    snapshot = cluster(vips(numbers))
    last = decision.decide(snapshot, {})
    for which, number in edits:
        snapshot = _obeyed(CHANGES[which % len(CHANGES)](snapshot, number), last)
        # What was chosen before is meant to count: the pass from scratch is told of it too.
        scratch = replace(last, demand=decision.decide(Snapshot(), {}).demand, inputs=NOTHING)
        last = decision.decide(snapshot, {}, last)
        anew = decision.decide(snapshot, {}, scratch)
        assert (last.units, last.rejected) == (anew.units, anew.rejected)
        assert (last.topologies, last.demand.ports) == (anew.topologies, anew.demand.ports)
        assert (last.demand.groups, last.demand.advice) == (
            anew.demand.groups,
            anew.demand.advice,
        )
        assert (last.assignments, last.plans) == (anew.assignments, anew.plans)
        assert last.address_statuses == anew.address_statuses


NOTHING = decision.decide(Snapshot(fencing="Strict"), {}).inputs
"""Nobody has ever asked for this: nothing of it can be taken over."""


def _obeyed(snapshot: Snapshot, last: decision.Decision) -> Snapshot:
    """The agents that live have done what the last pass decided."""
    plumbings = {
        name: replace(plumbing, grants=last.plans[name].grants, served=last.plans[name].addresses)
        if name not in snapshot.suspicions
        else plumbing
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def _key(one: VipObject) -> tuple[str, str, str]:
    return (one.kind, one.namespace, one.name)
