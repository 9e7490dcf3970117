"""A node that serves many addresses hands them over a portion at a time."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from duravip_api import EXCLUDE_LABEL
from duravip_operator.core import decision, handover
from duravip_operator.core.snapshot import Entity, Hearing, Node, Placement, Plumbing, Snapshot
from unit.test_election import cluster, entity

ETH1 = Placement("eth1", 32, fencing="Segment")
SEVEN = tuple(entity(number) for number in range(1, 8))


def drained(entities: tuple[Entity, ...] = SEVEN, portion: int = 3) -> Snapshot:
    """`n1` serves all of them and is drained; `n2` may have them."""
    snapshot = cluster(entities, ("n1", "n2"))
    everything = frozenset(one.address for one in entities)
    serving = replace(snapshot.plumbings["n1"], grants={ETH1: everything}, served=everything)
    return replace(
        snapshot,
        nodes={**snapshot.nodes, "n1": Node("n1", {EXCLUDE_LABEL: ""})},
        plumbings={**snapshot.plumbings, "n1": serving},
        witnessed={"n1": frozenset({"eth1"}), "n2": frozenset({"eth1"})},
        portion=portion,
    )


def steps(snapshot: Snapshot) -> Iterator[tuple[int, int]]:
    """How many both nodes are granted after each pass that writes something."""
    memory: handover.Memory = {}
    while True:
        memory = handover.remembered(memory, snapshot)
        plans = decision.decided(snapshot, memory).plans
        known = snapshot.plumbings
        if all(plans[name].is_in(known[name]) for name in known):
            return
        for name, before in known.items():
            if not plans[name].is_in(before):
                after = replace(
                    before, generation=before.generation + 1, grants=plans[name].grants
                )
                memory = handover.after_write(memory, before, after)
                snapshot = _with(snapshot, after)
        yield len(plans["n1"].addresses), len(plans["n2"].addresses)
        for plumbing in snapshot.plumbings.values():
            acted = replace(plumbing, observed=plumbing.generation, served=plumbing.granted)
            snapshot = _with(snapshot, acted)


def _with(snapshot: Snapshot, plumbing: Plumbing) -> Snapshot:
    return replace(snapshot, plumbings={**snapshot.plumbings, plumbing.node: plumbing})


def test_the_next_portion_goes_with_the_grant_of_the_last_one() -> None:
    assert list(steps(drained())) == [(4, 0), (1, 3), (0, 6), (0, 7)]


def test_few_go_together() -> None:
    assert list(steps(drained(portion=7))) == [(0, 0), (0, 7)]


def test_no_portion_follows_before_the_last_one_is_let_go() -> None:
    snapshot = drained()
    before = snapshot.plumbings["n1"]
    left = decision.decided(snapshot, {}).plans["n1"].grants
    after = replace(before, generation=2, grants=left)
    memory = handover.after_write({}, before, after)
    again = decision.decided(_with(snapshot, after), memory)
    assert again.plans["n1"].is_in(after)
    assert len(again.waiting) == len(SEVEN)


def test_followers_go_with_their_leader() -> None:
    leaders = [entity(number) for number in range(1, 4)]
    led = [
        replace(entity(40 + n), enabled=False, follow=one.address) for n, one in enumerate(leaders)
    ]
    pairs = tuple(chain.from_iterable(zip(leaders, led, strict=True)))
    plan = decision.decided(drained(pairs, portion=2), {}).plans["n1"]
    assert plan.addresses == {one.address for one in pairs[2:]}


def test_what_no_client_reaches_goes_at_once() -> None:
    snapshot = drained()
    serving = snapshot.plumbings["n1"]
    down = {name: nic.model_copy(update={"carrier": False}) for name, nic in serving.nics.items()}
    assert (
        not decision.decided(_with(snapshot, replace(serving, nics=down)), {}).plans["n1"].grants
    )
    silent = replace(snapshot, hearing={**snapshot.hearing, "n1": Hearing.SILENT})
    assert not decision.decided(silent, {}).plans["n1"].grants
    idle = _with(snapshot, replace(serving, served=frozenset()))
    assert not decision.decided(idle, {}).plans["n1"].grants
