"""Balancing, whatever the cluster looks like: it makes loads more equal, and comes to rest."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import MoveReason
from duravip_operator.core import balancing, decision, parsing
from duravip_operator.core.balancing import Movable
from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Snapshot, Suspicion, VipObject

NAMES = ("n1", "n2", "n3", "n4")
LABELS = {"n1": {"a": "", "b": ""}, "n2": {"a": "", "b": ""}, "n3": {"a": ""}, "n4": {"b": ""}}
LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
NIC = Nic(name="eth1", index=2, up=True, carrier=True, addresses=["10.1.0.1/16"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Movable], Counter[str], int]:
    """Parties of several weights and sets of nodes, and load that cannot be moved."""
    sets = draw(st.lists(st.frozensets(st.sampled_from(NAMES), min_size=1), min_size=1))
    movable = []
    for number in range(draw(st.integers(0, 40))):
        nodes = draw(st.sampled_from(sets))
        owner = draw(st.sampled_from(sorted(nodes)))
        movable.append(Movable(f"10.1.1.{number}", owner, draw(st.integers(1, 3)), nodes))
    load = Counter({name: draw(st.integers(0, 20)) for name in NAMES})
    for one in movable:
        load[one.owner] += one.weight
    return movable, load, draw(st.integers(0, 5))


@given(tables())
def test_every_round_makes_loads_more_equal_until_there_is_none(
    table: tuple[list[Movable], Counter[str], int],
) -> None:
    movable, load, most = table
    while moves := balancing.choose_moves(movable, load, most):
        assert len(moves) <= (most or max(1, len(movable) // 20))
        uneven = _unevenness(load)
        for number, one in enumerate(movable):
            if target := moves.get(one.address):
                assert target in one.nodes
                load[one.owner] -= one.weight
                load[target] += one.weight
                movable[number] = one._replace(owner=target)
        assert _unevenness(load) < uneven
    for one in movable:
        assert load[one.owner] - min(load[node] for node in one.nodes) <= one.weight


@given(st.lists(st.sampled_from(NAMES), max_size=60))
def test_shares_that_can_be_equal_become_so(owners: list[str]) -> None:
    everybody = frozenset(NAMES)
    movable = [Movable(f"10.1.1.{n}", owner, 1, everybody) for n, owner in enumerate(owners)]
    moved = balancing.choose_moves(movable, Counter(owners), len(owners) + 1)
    load = Counter(moved.get(one.address, one.owner) for one in movable)
    counts = [load[name] for name in NAMES]
    assert max(counts) - min(counts) <= 1


def _unevenness(load: Counter[str]) -> int:
    return sum(count * count for count in load.values())


# --- the whole core, with agents that do what they are told


def _entity(number: int, selector: str, preference: str, follow: int) -> VipObject:
    return VipObject(
        "DuraVIP",
        "default",
        f"v{number}",
        f"u{number}",
        "",
        address=f"10.1.1.{number}",
        enabled=not follow,
        preference="" if follow else preference,
        follow=f"10.1.1.{follow}" if follow else "",
        selector=((selector, ""),) if selector else (),
    )


ENTITIES = st.lists(
    st.builds(
        _entity,
        st.integers(1, 60),
        st.sampled_from(("", "", "a", "b")),
        st.sampled_from(("", "", "", *NAMES, "gone")),
        st.sampled_from((0, 0, 0, 1, 2)),
    ),
    unique_by=lambda vip: vip.address,
    max_size=40,
).map(tuple)


def _cluster(vips: tuple[VipObject, ...]) -> Snapshot:
    return Snapshot(
        vips=vips,
        topologies=(LAN,),
        nodes={name: Node(name, LABELS[name]) for name in NAMES},
        plumbings={
            n: Plumbing(n, generation=1, observed_generation=1, nics={"eth1": NIC}) for n in NAMES
        },
        liveness=dict.fromkeys(NAMES, Liveness.ALIVE),
        witnessed=dict.fromkeys(NAMES, frozenset({"eth1"})),
    )


def _carried_out(snapshot: Snapshot, made: decision.Decision) -> Snapshot:
    plumbings = {
        name: replace(
            plumbing,
            grants=made.plans[name].grants,
            served=frozenset().union(*made.plans[name].grants.values()),
        )
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def _settled(
    snapshot: Snapshot, balance: int | None = None
) -> tuple[Snapshot, dict[str, MoveReason]]:
    """The cluster at rest after one round, or none; and why each address moved."""
    moved: dict[str, MoveReason] = {}
    last = None
    for number in range(10):
        now = replace(snapshot, balance_moves=balance if number == 0 else None)
        made = decision.decide(now, {}, last)
        before = {a: n for n, p in snapshot.plumbings.items() for a in p.granted}
        for address, assignment in made.assignments.items():
            if before.get(address, assignment.owner) != assignment.owner:
                moved[address] = assignment.cause
        after = _carried_out(snapshot, made)
        if after.plumbings == snapshot.plumbings:
            return snapshot, moved
        snapshot, last = after, made
    raise AssertionError("the cluster does not settle")


@settings(max_examples=200)
@given(ENTITIES, st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_balancing_converges_and_then_rests(
    vips: tuple[VipObject, ...], absent: frozenset[str]
) -> None:
    everybody = _cluster(vips)
    dead = dict.fromkeys(absent, Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True))
    liveness = {**everybody.liveness, **dict.fromkeys(absent, Liveness.SUSPECT)}
    few, _ = _settled(replace(everybody, liveness=liveness, suspicions=dead))
    snapshot, _ = _settled(replace(few, liveness=everybody.liveness, suspicions={}))
    bound = {vip.address for vip in vips if vip.preference}
    seen = set()
    while True:
        holders = frozenset((a, n) for n, p in snapshot.plumbings.items() for a in p.granted)
        assert holders not in seen, "an address came back to where it had been"
        seen.add(holders)
        snapshot, moved = _settled(snapshot, balance=2)
        if not moved:
            break
        assert set(moved.values()) <= {MoveReason.BALANCE, MoveReason.FOLLOW}
        assert not bound & moved.keys()
        assert len([m for m in moved.values() if m is MoveReason.BALANCE]) <= 2
    _assert_even(snapshot, vips)


def _assert_even(snapshot: Snapshot, vips: tuple[VipObject, ...]) -> None:
    load = {name: len(plumbing.granted) for name, plumbing in snapshot.plumbings.items()}
    owner = {a: n for n, p in snapshot.plumbings.items() for a in p.granted}
    followed = {vip.follow for vip in vips if vip.follow}
    for vip in vips:
        alone = vip.enabled and vip.address not in followed and not vip.preference
        if alone and vip.address in owner:
            able = [n for n in NAMES if all(label in LABELS[n] for label, _ in vip.selector)]
            assert load[owner[vip.address]] - min(load[name] for name in able) <= 1
