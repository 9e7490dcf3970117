"""Which nodes match the selectors of people: the same as one look at each, and found once."""

from hypothesis import given
from hypothesis import strategies as st

from duravip_api.nodeplumbing import Nic
from duravip_operator.core import balancing, decision, parsing
from duravip_operator.core.balancing import Movable
from duravip_operator.core.eligibility import matches_selector
from duravip_operator.core.node_selectors import MAX_CACHED_SETS, SelectorIndex
from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Snapshot, VipObject

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"))
SELECTORS = LABELS.map(lambda labels: tuple(sorted(labels.items())))
LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
NIC = Nic(name="eth1", index=2, up=True, carrier=True, addresses=["10.1.0.1/16"])


def nodes_with(labels: list[dict[str, str]]) -> dict[str, Node]:
    return {f"n{i}": Node(f"n{i}", found) for i, found in enumerate(labels)}


@given(st.lists(LABELS, max_size=5), st.frozensets(SELECTORS, max_size=3))
def test_a_node_is_selected_when_it_matches_any(
    labels: list[dict[str, str]], selectors: frozenset[tuple[tuple[str, str], ...]]
) -> None:
    nodes = nodes_with(labels)
    selection = SelectorIndex(nodes)
    for selector in selectors:
        expected = {name for name, node in nodes.items() if matches_selector(node, selector)}
        assert selection.matching(selector) == expected
    any_of = {n for n, node in nodes.items() if any(matches_selector(node, s) for s in selectors)}
    assert selection.matching_any(selectors) == any_of
    assert selection.matching_any(selectors) is selection.matching_any(frozenset([*selectors]))


def test_what_is_remembered_of_selectors_has_a_bound() -> None:
    selection = SelectorIndex(nodes_with([{"a": "1"}]))
    for number in range(MAX_CACHED_SETS + 10):
        selection.matching_any(frozenset({(("a", str(number)),)}))
    assert len(selection._united) <= MAX_CACHED_SETS  # noqa: SLF001


def cluster(labels: list[dict[str, str]], selectors: int) -> Snapshot:
    """As many DuraVIPs as selectors, all of which differ and match the nodes with `a=1`."""
    nodes = nodes_with([{**found, **{f"k{n}": "" for n in range(10)}} for found in labels])
    vips = []
    for number in range(selectors):
        extra = [(f"k{bit}", "") for bit in range(10) if number >> bit & 1]
        vips.append(
            VipObject(
                "DuraVIP", "d", f"v{number}", f"u{number}", "",
                address=f"10.1.{number >> 8}.{number & 255 or 1}",
                selector=(("a", "1"), *extra),
            )
        )  # fmt: skip
    return Snapshot(
        vips=tuple(vips),
        topologies=(LAN,),
        nodes=nodes,
        plumbings={
            n: Plumbing(n, generation=1, observed_generation=1, nics={"eth1": NIC}) for n in nodes
        },
        liveness=dict.fromkeys(nodes, Liveness.ALIVE),
        witnessed=dict.fromkeys(nodes, frozenset({"eth1"})),
    )


def test_selectors_that_match_the_same_nodes_are_looked_at_as_one() -> None:
    made = decision.decide(cluster([{"a": "1"}, {"a": "2"}, {"a": "1"}], 500), {})
    assert {choice.eligible.may_take for choice in made.assignments.values()} == {
        frozenset({"n0", "n2"})
    }
    assert len({id(choice.eligible) for choice in made.assignments.values()}) == 1
    assert len(made.demand.groups.interchangeable) == 1


def test_a_label_that_changes_changes_who_may_take_what_at_once() -> None:
    before = cluster([{"a": "1"}, {"a": "2"}], 20)
    after = cluster([{"a": "2"}, {"a": "1"}], 20)
    last = decision.decide(before, {})
    assert {choice.owner for choice in last.assignments.values()} == {"n0"}
    made = decision.decide(after, {}, last)
    assert {choice.owner for choice in made.assignments.values()} == {"n1"}
    again = decision.decide(after, {}, made)
    assert again.demand is made.demand


def test_a_round_of_balancing_is_short_whatever_people_have_selected() -> None:
    names = [f"n{number}" for number in range(14)]
    movable = [
        Movable(
            f"10.1.{n >> 8}.{n & 255}", "n0", 1,
            frozenset(["n0", *(name for bit, name in enumerate(names) if n >> bit & 1)]),
        )
        for n in range(1, 10000)
    ]  # fmt: skip
    load = {"n0": len(movable)}
    sets = len({one.nodes for one in movable})
    assert sets >= 5000
    assert 1 <= len(balancing.choose_moves(movable, load, 16384)) <= 100_000 // sets
