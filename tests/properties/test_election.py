"""The election and the hand-over on random clusters: what must hold whatever they look like."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_operator.core import decision, parsing
from duravip_operator.core.snapshot import Liveness, Snapshot, Suspicion, VipObject
from unit.operator.clusters import NAMES, cluster, granted, vip


def owners(snapshot: Snapshot) -> dict[str, str]:
    assignments = decision.decide(snapshot, {}).assignments
    return {address: assignment.owner for address, assignment in assignments.items()}


ENTITIES = st.lists(
    st.builds(vip, st.integers(1, 60), st.sampled_from(("", "", *NAMES, "gone"))),
    unique_by=lambda e: e.address,
    max_size=40,
).map(tuple)


@given(ENTITIES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(vips: tuple[VipObject, ...], chance: object) -> None:
    shuffled = list(vips)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert owners(cluster(vips)) == owners(cluster(tuple(shuffled), NAMES[::-1]))


@given(ENTITIES)
def test_new_addresses_are_spread_evenly(vips: tuple[VipObject, ...]) -> None:
    free = tuple(e for e in vips if not e.preference)
    load = Counter(dict.fromkeys(NAMES, 0)) + Counter(owners(cluster(free)).values())
    counts = [load[name] for name in NAMES]
    assert max(counts) - min(counts) <= 1


@given(ENTITIES, st.sampled_from(NAMES))
def test_only_the_addresses_of_a_lost_node_move(vips: tuple[VipObject, ...], lost: str) -> None:
    before = granted(cluster(vips))
    had = owners(before)
    silent = replace(
        before,
        liveness={**before.liveness, lost: Liveness.SUSPECT},
        suspicions={lost: Suspicion(unreachable_on=frozenset({"eth1"}))},
    )
    after = owners(silent)
    assert {address for address in had if had[address] != after[address]} == {
        address for address, owner in had.items() if owner == lost
    }


@settings(max_examples=50)
@given(ENTITIES, st.data())
def test_one_bad_entity_never_changes_another_unit(
    vips: tuple[VipObject, ...], data: st.DataObject
) -> None:
    spec = data.draw(
        st.dictionaries(
            st.sampled_from(("address", "follow", "preference", "services", "nodeSelector")),
            st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3)),
        )
    )
    bad = parsing.vip_object("DuraVIP", {"metadata": {"name": "bad", "uid": "bad"}, "spec": spec})
    assert bad.rejection or not bad.address.startswith("10.1.")
    assert owners(cluster((*vips, bad))) == owners(cluster(vips))


@given(ENTITIES)
def test_a_settled_cluster_rests(vips: tuple[VipObject, ...]) -> None:
    once = granted(cluster(vips))
    assert granted(once).plumbings == once.plumbings
