"""How the answer to "which nodes may hold it" is combined and narrowed."""

from duravip_api.reasons import Reason
from duravip_operator.core.eligible import NO_NODES, Eligible


def nodes(names: str) -> frozenset[str]:
    return frozenset(names.split())


ALL = nodes("n1 n2 n3")
ANY = Eligible(ALL, ALL, ALL, NO_NODES, NO_NODES, {})
SILENT = Eligible(ALL, nodes("n2 n3"), nodes("n1 n2 n3"), NO_NODES, NO_NODES,
                  {"n1": Reason.NODE_SILENT})  # fmt: skip
GONE = Eligible(ALL, nodes("n2 n3"), nodes("n2 n3"), nodes("n1"), NO_NODES,
                {"n1": Reason.NODE_SILENT})  # fmt: skip


def unfit(_: str) -> Reason:
    return Reason.NO_READY_ENDPOINT


def test_a_loss_is_a_refusal_of_a_node_that_may_not_even_keep_it() -> None:
    assert SILENT.losses == {}
    assert GONE.losses == {"n1": Reason.NODE_SILENT}


def test_both_are_held_by_the_nodes_that_may_hold_each() -> None:
    down = Eligible(nodes("n1 n2"), nodes("n2"), nodes("n1 n2"), NO_NODES, nodes("n2"),
                    {"n3": Reason.INTERFACE_DOWN})  # fmt: skip
    both = GONE & down
    assert both.could_hold == nodes("n1 n2")
    assert both.may_take == both.may_keep == both.suspected == nodes("n2")
    assert both.lost == nodes("n1 n2"), "those that are gone, and those that may keep it"
    assert both.refusals == {"n1": Reason.NODE_SILENT, "n3": Reason.INTERFACE_DOWN}


def test_of_two_refusals_the_one_that_costs_the_address_is_named() -> None:
    keeps = Eligible(ALL, nodes("n2 n3"), ALL, NO_NODES, NO_NODES, {"n1": Reason.NODE_YOUNG})
    assert (keeps & GONE).refusals == {"n1": Reason.NODE_SILENT}
    assert (GONE & keeps).refusals == {"n1": Reason.NODE_SILENT}


def test_a_node_in_quarantine_is_passed_over_while_another_may_have_it() -> None:
    left = ANY.without(nodes("n1 n2"), nodes("n2"))
    assert left.may_take == left.may_keep == nodes("n3")
    assert left.refusals == {"n1": Reason.REPAIR_FAILED, "n2": Reason.NODE_CONTRADICTS}
    assert ANY.without(ALL, NO_NODES) is ANY


def test_a_node_in_quarantine_keeps_it_if_nobody_may_take_it() -> None:
    only_keep = Eligible(ALL, nodes("n1"), nodes("n1 n2"), NO_NODES, NO_NODES, {})
    left = only_keep.without(nodes("n1"), NO_NODES)
    assert not left.may_take
    assert left.may_keep == nodes("n1 n2")


def test_unfit_nodes_are_set_aside_and_are_the_last_resort() -> None:
    left = SILENT.narrowed(nodes("n3"), NO_NODES, unfit)
    assert left.may_take == left.may_keep == nodes("n3")
    assert left.last_resort == nodes("n1 n2")
    assert dict(left.refusals) == dict.fromkeys(["n1", "n2"], Reason.NO_READY_ENDPOINT)
    assert len(left.refusals) == 2


def test_nodes_that_may_keep_it_lose_nothing() -> None:
    left = ANY.narrowed(nodes("n3"), nodes("n1"), unfit)
    assert left.may_take == nodes("n3")
    assert left.may_keep == nodes("n1 n3")
    assert left.last_resort == nodes("n2")


def test_nothing_leaves_an_unfit_node_for_a_suspect() -> None:
    suspected = Eligible(ALL, ALL, ALL, NO_NODES, nodes("n3"), {})
    left = suspected.narrowed(nodes("n3"), NO_NODES, unfit)
    assert left.may_take == nodes("n3")
    assert left.may_keep == ALL
    assert not left.last_resort


def test_what_nobody_is_fit_for_stays_and_is_not_balanced() -> None:
    assert not ANY.is_bound_by_readiness
    assert ANY.staying().stays
    assert ANY.staying().is_bound_by_readiness
    assert ANY.staying().may_take == ALL


def test_while_it_is_not_known_who_is_fit_nobody_takes_it() -> None:
    assert not ANY.waiting().may_take
    assert ANY.waiting().may_keep == ALL


def test_fit_nodes_come_first_where_they_may_take_it() -> None:
    assert SILENT.preferring(nodes("n1 n2")).fit_first == nodes("n2")
    assert SILENT.preferring(nodes("n1 n2")).is_bound_by_readiness
    assert not SILENT.preferring(NO_NODES).is_bound_by_readiness


def test_while_nothing_is_known_whoever_has_it_keeps_it_whatever_it_prefers() -> None:
    unknown = ANY.waiting()
    assert (unknown.may_take, unknown.may_keep, unknown.stays) == (NO_NODES, ALL, True)
