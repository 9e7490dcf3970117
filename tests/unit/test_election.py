"""The election and the hand-over on random clusters: what must hold whatever they look like."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api.addresses import from_int
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, parsing, releases
from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Snapshot, Suspicion, VipObject

LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
NICS = {"eth1": Nic(name="eth1", index=2, up=True, carrier=True)}
NAMES = ("n1", "n2", "n3", "n4")


def cluster(vips: tuple[VipObject, ...], names: tuple[str, ...] = NAMES) -> Snapshot:
    return Snapshot(
        vips=vips,
        topologies=(LAN,),
        nodes={name: Node(name) for name in names},
        plumbings={n: Plumbing(n, generation=1, observed_generation=1, nics=NICS) for n in names},
        liveness=dict.fromkeys(names, Liveness.ALIVE),
        witnessed=dict.fromkeys(names, frozenset({"eth1"})),
    )


def granted(snapshot: Snapshot) -> Snapshot:
    """The cluster once everybody has done what one pass decided."""
    plans = decision.decide(snapshot, {}).plans
    plumbings = {
        name: replace(
            plumbing,
            grants=plans[name].grants,
            served=frozenset().union(*plans[name].grants.values()),
        )
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def owners(snapshot: Snapshot) -> dict[str, str]:
    choices = decision.decide(snapshot, {}).assignments
    return {address: choice.owner for address, choice in choices.items()}


def vip(number: int, preference: str = "") -> VipObject:
    address = from_int(4, (10 << 24) + (1 << 16) + 256 + number)
    return VipObject(
        "DuraVIP",
        "default",
        f"v{number}",
        f"u{number}",
        "",
        address=address,
        preference=preference,
    )


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


def test_an_unconfirmed_release_blocks_only_its_own_addresses() -> None:
    settled = granted(cluster(tuple(vip(n, "n1") for n in range(1, 4))))
    n1 = settled.plumbings["n1"]
    lagging = replace(n1, generation=2, grants={})
    memory = {
        "n1": releases.ReleaseRecord(n1.uid, 2, frozenset({"10.1.1.1"})),
    }
    behind = replace(
        settled,
        vips=tuple(vip(n, "n2") for n in range(1, 4)),
        plumbings={**settled.plumbings, "n1": replace(lagging, served=frozenset())},
    )
    grants = decision.decide(behind, memory).plans["n2"].grants
    assert frozenset().union(*grants.values()) == {"10.1.1.2", "10.1.1.3"}
