"""What holds for every decision, tried on a thousand random clusters each."""

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api.reasons import State
from duravip_operator.core import decision, election, parsing
from duravip_operator.core.election import current_holders
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.snapshot import Snapshot, Suspicion, VipObject
from duravip_operator.core.stability import AGENT, Spell, Stability
from properties.random_clusters import NODES, NUMBERS, cluster, settled, vip, vips

THOUSAND = settings(max_examples=1000, derandomize=True, database=None)
OBJECTS = st.lists(NUMBERS, max_size=14)
SPELLS = st.dictionaries(
    st.sampled_from(NODES),
    st.builds(Spell, st.sampled_from([None, 10.0, 99.0]), st.just(99.0), st.integers(0, 3)),
)
FATES = st.tuples(*[st.integers(0, 3)] * len(NODES))


def owners(decided: decision.Decision) -> dict[str, str]:
    return {
        address: assignment.owner
        for address, assignment in decided.assignments.items()
        if assignment.owner
    }


@THOUSAND
@given(OBJECTS, FATES, st.integers(0, 999))
def test_the_order_of_arrival_does_not_matter(
    numbers: list[int], fates: tuple[int, ...], seed: int
) -> None:
    snapshot = cluster(vips(numbers), fates)
    one, other = decision.decide(snapshot, {}), decision.decide(_shuffled(snapshot, seed), {})
    assert owners(one) == owners(other)
    assert one.plans == other.plans
    for found in snapshot.vips:
        assert one.status_of(found) == other.status_of(found)


@THOUSAND
@given(OBJECTS, FATES, st.integers(0, 3), st.integers(0, 3))
def test_only_what_the_fate_of_a_node_concerns_moves(
    numbers: list[int], fates: tuple[int, ...], which: int, fate: int
) -> None:
    objects = vips(numbers)
    before = settled(cluster(objects, fates))
    fates = (*fates[:which], fate, *fates[which + 1 :])
    changed = replace(cluster(objects, fates), plumbings=before.plumbings)
    node = NODES[which]
    concerned = {address for address, holder in current_holders(before).items() if holder == node}
    concerned |= {unit.address for unit in decision.decide(before, {}).units.values()
                  if unit.preference == node}  # fmt: skip
    assert _moved(before, changed) <= _with_company(concerned, changed)


@THOUSAND
@given(OBJECTS, FATES, st.integers(0, 13), st.none() | NUMBERS)
def test_only_what_an_edited_object_concerns_moves(
    numbers: list[int], fates: tuple[int, ...], which: int, number: int | None
) -> None:
    objects = vips(numbers)
    before = settled(cluster(objects, fates))
    old = objects[which : which + 1]
    new = () if number is None else (vip(number, 50),)
    rest = objects[:which] + objects[which + 1 :]
    changed = replace(before, vips=entities_of(rest, new))
    concerned = {one.address for one in (*old, *new)}
    named = {one.name for one in (*old, *new) if one.kind == "Binding"}
    concerned |= {one.address for one in (*rest, *old, *new) if one.name in named}
    company = _with_company(concerned, before) | _with_company(concerned, changed)
    assert _moved(before, changed) <= company


@THOUSAND
@given(OBJECTS, FATES, FATES, st.booleans(), st.booleans(), SPELLS)
def test_what_is_alike_is_elected_as_if_each_were_looked_at(
    numbers: list[int],
    fates: tuple[int, ...],
    later: tuple[int, ...],
    hiccups: bool,
    again: bool,
    spells: dict[str, Spell],
) -> None:
    before = settled(cluster(vips(numbers), fates))
    last = decision.decide(before, {})
    now = replace(cluster(before.vips, later), plumbings=before.plumbings)
    now = replace(now, stability=Stability(100.0, 5.0, {AGENT: spells}))
    if hiccups:
        now = replace(now, suspicions=dict.fromkeys(now.suspicions, Suspicion()))
    if again:  # somebody has written into a NodePlumbing what another one grants
        twice = replace(now.plumbings["n1"], grants=now.plumbings["n2"].grants)
        now = replace(now, plumbings={**now.plumbings, "n1": twice})
    asked, holders, known = last.demand.groups, election.current_holders(now), last.assignments
    together = election.elect(asked, holders, Eligibility(now), known)
    each = election.elect(replace(asked, interchangeable=()), holders, Eligibility(now), known)
    assert together == each


@THOUSAND
@given(OBJECTS, FATES, NUMBERS)
def test_one_bad_object_never_changes_another_unit(
    numbers: list[int], fates: tuple[int, ...], number: int
) -> None:
    objects = vips(numbers)
    bad = _bad(number, objects)
    without, beside = cluster(objects, fates), cluster((*objects, bad), fates)
    one, other = decision.decide(without, {}), decision.decide(beside, {})
    assert other.status_of(bad).state in {State.BROKEN, State.UNASSIGNED}
    assert owners(one) == owners(other)
    assert one.plans == other.plans
    for found in objects:
        assert one.status_of(found) == other.status_of(found)


def entities_of(rest: tuple[VipObject, ...], new: tuple[VipObject, ...]) -> tuple[VipObject, ...]:
    """Those objects, the new one in the place of one of its name."""
    names = {(one.kind, one.namespace, one.name) for one in new}
    return (*(e for e in rest if (e.kind, e.namespace, e.name) not in names), *new)


def _moved(before: Snapshot, changed: Snapshot) -> set[str]:
    """What has another owner in the end; and the first pass knew it."""
    had, first = current_holders(before), decision.decide(changed, {})
    has = current_holders(settled(changed))
    assert has == owners(first)
    return {address for address, holder in had.items() if has.get(address, "") != holder}


def _with_company(addresses: set[str], snapshot: Snapshot) -> set[str]:
    """These, the leaders of those that follow, and all that follow one of them."""
    units = decision.decide(snapshot, {}).units.values()
    leaders = addresses | {unit.leader for unit in units if unit.address in addresses}
    return leaders | {unit.address for unit in units if unit.leader in leaders}


def _shuffled(snapshot: Snapshot, seed: int) -> Snapshot:
    chance = random.Random(seed)  # noqa: S311 (the same each time)

    def shuffle(things: Any) -> list[Any]:
        return chance.sample(things, len(things))

    return replace(
        snapshot,
        vips=tuple(shuffle(snapshot.vips)),
        nodes=dict(shuffle([*snapshot.nodes.items()])),
        plumbings=dict(shuffle([*snapshot.plumbings.items()])),
        liveness=dict(shuffle([*snapshot.liveness.items()])),
    )


def _bad(number: int, objects: tuple[VipObject, ...]) -> VipObject:
    """An object that cannot be managed, for one of many reasons."""
    specs: list[dict[str, Any]] = [
        {},
        {"address": number},
        {"address": "fd00:0::1"},
        {"address": "10.1.0.11"},
        {"address": "10.1.255.255"},
        {"address": "172.16.0.1"},
        {"address": "10.1.9.9", "follow": "nobody"},
        {"address": "10.1.9.9", "preference": ["n1"]},
        {"address": "10.1.9.9", "follow": "b1", "enableDuravip": True},
    ]
    specs += [{"address": one.address} for one in objects if one.namespace == "default"]
    namespace = "tenant"
    metadata = {"name": "bad", "namespace": namespace, "uid": "bad", "creationTimestamp": "2027"}
    spec = specs[number % len(specs)]
    return parsing.vip_object("DuraVIP", {"metadata": metadata, "spec": spec})
