"""What is reported of an address, and when it is that two nodes serve it."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason, State
from duravip_operator.core.address_status import (
    DUPLICATE_AFTER_S,
    AddressStatus,
    DuplicateHolderTable,
    lasting_duplicates,
    rejected_status,
    unmanaged_status,
    update_duplicates,
)
from duravip_operator.core.decision import decide
from duravip_operator.core.snapshot import Placement, Plumbing, Rejection, Snapshot, Suspicion
from unit.operator.clusters import cluster, granted, vip

A = frozenset({"10.1.1.1"})
ETH1 = Placement("eth1", 32)
BOTH = {"n1": Plumbing("n1", served=A), "n2": Plumbing("n2", served=A)}
MOVED = {"n1": Plumbing("n1"), "n2": Plumbing("n2", served=A)}


def looked(*looks: tuple[float, dict[str, Plumbing]], gone: tuple[str, ...] = ()) -> object:
    known: DuplicateHolderTable = {}
    now = 0.0
    for now, plumbings in looks:
        known = update_duplicates(known, plumbings, gone, now)
    return lasting_duplicates(known, now)


def test_a_status_that_is_late_is_no_second_owner() -> None:
    assert looked((0, BOTH), (DUPLICATE_AFTER_S - 0.1, BOTH)) == {}
    assert looked((0, BOTH), (1, MOVED), (DUPLICATE_AFTER_S, BOTH)) == {}


def test_what_lasts_is_said() -> None:
    assert looked((0, BOTH), (DUPLICATE_AFTER_S, BOTH)) == {"10.1.1.1": ("n1", "n2")}


def test_nodes_that_are_gone_or_have_said_goodbye_hold_nothing() -> None:
    assert looked((0, BOTH), (9, BOTH), gone=("n1",)) == {}
    stopped = {**BOTH, "n1": Plumbing("n1", served=A, stopped=True)}
    assert looked((0, stopped), (9, stopped)) == {}


def test_what_a_node_says_to_serve_that_was_never_granted_to_it_is_not_held() -> None:
    liar = Plumbing("n1", generation=2, observed_generation=2, served=A)
    owner = Plumbing("n2", generation=2, observed_generation=2, served=A, grants={ETH1: A})
    looks = ((0, {"n1": liar, "n2": owner}), (9, {"n1": liar, "n2": owner}))
    assert looked(*looks) == {}


def test_two_moves_one_after_the_other_are_no_conflict_that_lasts() -> None:
    late = {"n2": Plumbing("n2", served=A), "n3": Plumbing("n3", served=A)}
    assert looked((0, BOTH), (DUPLICATE_AFTER_S - 1, late), (DUPLICATE_AFTER_S, late)) == {}


SERVED = granted(cluster((vip(1, "n1"),)))
MAC = "02:00:00:00:00:99"
B = vip(1).address


def status(snapshot: Snapshot) -> AddressStatus:
    return decide(snapshot, {}).address_statuses[B]


def with_n1(**fields: Any) -> Snapshot:
    n1 = replace(SERVED.plumbings["n1"], **fields)
    return replace(SERVED, plumbings={**SERVED.plumbings, "n1": n1})


def test_an_address_is_owned_once_its_owner_serves_it() -> None:
    found = status(SERVED)
    assert (found.state, found.owner, found.interface) == (State.OWNED, "n1", "eth1")
    assert (found.message, found.participants, found.flags) == ("served by n1 on eth1", 4, "-")
    idle = status(with_n1(served=frozenset()))
    assert (idle.state, idle.message) == (State.MOVING, "n1 is about to serve it")
    failing = status(with_n1(served=frozenset(), failures={B: "no such device"}))
    assert (failing.reason, failing.message) == (Reason.PLUMBING_FAILED, "n1 no such device")


def test_a_silence_is_mentioned_once_it_lasts() -> None:
    seen = replace(SERVED, suspicions={"n1": Suspicion()})
    assert status(seen).reason is Reason.SERVED
    lasting = status(replace(seen, suspicions={"n1": Suspicion(is_lasting=True)}))
    assert (lasting.state, lasting.reason) == (State.OWNED, Reason.OWNER_UNREACHABLE)


def test_another_host_that_has_it_is_named_by_its_mac() -> None:
    ((kind, _, text),) = status(with_n1(claims={B: MAC})).advisories
    assert kind == "AddressInUse"
    assert text == f"another host, {MAC}, has it as well: n1 serves it nevertheless"
    before = status(with_n1(claims={B: MAC}, served=frozenset()))
    assert (before.state, before.reason) == (State.UNASSIGNED, Reason.ADDRESS_IN_USE)


def test_a_program_on_one_of_our_nodes_that_answers_counts_like_another_host() -> None:
    nic = replace_mac(SERVED.plumbings["n2"], MAC)
    n1 = replace(SERVED.plumbings["n1"], claims={B: MAC}, served=frozenset())
    seen = replace(SERVED, plumbings={**SERVED.plumbings, "n1": n1, "n2": nic})
    assert status(seen).reason is Reason.ADDRESS_IN_USE
    leaving = replace(nic, served=frozenset({B}))
    before = status(replace(seen, plumbings={**seen.plumbings, "n2": leaving}))
    assert before.reason is not Reason.ADDRESS_IN_USE
    taken = replace(seen, plumbings={**seen.plumbings, "n1": replace(n1, served=frozenset({B}))})
    assert status(taken).advisories == (), "a former owner answered for a moment longer"


def replace_mac(plumbing: Plumbing, mac: str) -> Plumbing:
    nics = {name: nic.model_copy(update={"mac": mac}) for name, nic in plumbing.nics.items()}
    return replace(plumbing, nics=nics)


def test_two_that_serve_it_are_both_named() -> None:
    n2 = replace(SERVED.plumbings["n2"], served=frozenset({B}))
    seen = replace(SERVED, plumbings={**SERVED.plumbings, "n2": n2})
    assert status(seen).advisories == ()
    twice = replace(seen, duplicate_holders={B: ("n1", "n2")})
    assert [(kind, reason) for kind, reason, _ in status(twice).advisories] == [
        ("AddressInUse", Reason.SERVED_TWICE)
    ]


def test_addresses_of_which_the_same_is_true_share_one_status() -> None:
    seen = granted(cluster(tuple(vip(number) for number in range(1, 9))))
    statuses = decide(seen, {}).address_statuses
    assert len({id(one) for one in statuses.values()}) == 4
    assert {one.state for one in statuses.values()} == {State.OWNED}


def test_where_nobody_may_hold_it_every_node_is_told_of() -> None:
    nowhere = replace(vip(1), selector=(("zone", "x"),))
    found = status(cluster((nowhere,)))
    assert (found.state, found.reason) == (State.UNASSIGNED, Reason.NO_PARTICIPANT)
    assert found.message == "no node may hold it: SelectorMismatch on n1, n2, n3, n4"


@pytest.mark.parametrize(
    ("reason", "state", "flags"),
    [
        (Reason.INVALID, State.BROKEN, "Broken"),
        (Reason.NO_TOPOLOGY, State.UNASSIGNED, "-"),
        (Reason.FOLLOW_SAME_ADDRESS, State.UNASSIGNED, "-"),
    ],
)
def test_what_may_still_become_right_is_not_broken(
    reason: Reason, state: State, flags: str
) -> None:
    found = rejected_status(Rejection(reason, "why"))
    assert (found.state, found.flags, found.message) == (state, flags, "why")


def test_what_asks_for_nothing_is_unmanaged() -> None:
    assert unmanaged_status(Reason.NO_ADDRESS).state is State.UNMANAGED
    assert status(cluster((replace(vip(1), enabled=False),))).reason is Reason.NOT_ENABLED
