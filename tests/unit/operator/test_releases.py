"""What a node of ours has just let go is granted without a probe; all else is probed for first."""

from dataclasses import replace
from ipaddress import ip_address

from duravip_api.addresses import Range
from duravip_operator.core import decision, releases
from duravip_operator.core.releases import ConfirmedReleases
from duravip_operator.core.snapshot import Liveness, Placement, Snapshot
from unit.operator.clusters import cluster, vip

ETH1 = Placement("eth1", 32)
VIP = vip(1, preference="n2")
ONE = frozenset({VIP.address})


class Leader:
    """A leader that sees one snapshot after another, and remembers as the loop does."""

    def __init__(self) -> None:
        self.records: releases.ReleaseRecords = {}

    def contested(self, snapshot: Snapshot, node: str = "n2") -> bool | None:
        """Whether a node is granted the address as contested; None: it is granted nothing."""
        self.records = releases.update_records(self.records, snapshot)
        decided = decision.decide(snapshot, self.records)
        self.records = releases.limit_to_owned(self.records, decided.assignments)
        plan = decided.plans[node]
        return bool(plan.contested) if plan.addresses else None


def world(granted: str = "", served: str = "", *vips: object) -> Snapshot:
    """Two nodes; one is granted the address, one says that it serves it, and both have acted."""
    snapshot = cluster(vips or (VIP,), ("n1", "n2"))  # type: ignore[arg-type]
    plumbings = {
        name: replace(
            plumbing,
            boot="b",
            grants={ETH1: ONE} if name == granted else {},
            served=ONE if name == served else frozenset(),
        )
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def changed(snapshot: Snapshot, node: str, **fields: object) -> Snapshot:
    plumbing = replace(snapshot.plumbings[node], **fields)  # type: ignore[arg-type]
    return replace(snapshot, plumbings={**snapshot.plumbings, node: plumbing})


def test_the_first_grant_is_contested() -> None:
    assert Leader().contested(world()) is True


def test_a_move_between_living_nodes_is_free() -> None:
    leader = Leader()
    assert leader.contested(world("n1", "n1")) is None
    assert leader.contested(world()) is False


def test_a_report_of_an_earlier_grant_does_not_say_that_a_contested_one_was_taken() -> None:
    leader = Leader()
    again = world("n1", "n1")
    stale = replace(again.plumbings["n1"], generation=2, observed_generation=1)
    leader.contested(
        changed(
            again, "n1", generation=stale.generation, observed_generation=stale.observed_generation
        )
    )
    leader.contested(changed(world("n1"), "n1", generation=2, observed_generation=2))
    assert leader.contested(changed(world(), "n1", generation=3, observed_generation=3)) is True


def test_a_new_leader_takes_over_what_is_served_and_moves_it_freely() -> None:
    for leader in (Leader(), Leader()):
        leader.contested(world("n1", "n1"))
        assert leader.contested(world()) is False


def test_a_new_leader_that_finds_it_granted_to_nobody_contests_it() -> None:
    Leader().contested(world("n1", "n1"))
    assert Leader().contested(world()) is True


def test_what_its_node_never_got_to_serve_is_contested_at_the_next() -> None:
    leader = Leader()
    leader.contested(world("n1"))
    assert leader.contested(world()) is True


def test_what_was_served_until_the_cable_came_out_moves_freely() -> None:
    leader = Leader()
    leader.contested(world("n1", "n1"))
    leader.contested(world("n1"))
    assert leader.contested(world()) is False


def test_one_release_is_good_for_one_grant() -> None:
    leader = Leader()
    leader.contested(world("n1", "n1"))
    leader.contested(world())
    leader.contested(world("n2"))
    assert leader.contested(world()) is True


def test_what_was_deleted_and_is_made_anew_is_contested() -> None:
    leader = Leader()
    leader.contested(world("n1", "n1"))
    leader.contested(world("n1", "n1", vip(2)))
    leader.contested(world("", "", vip(2)))
    assert leader.contested(world()) is True


def test_the_new_address_of_an_edited_object_is_contested() -> None:
    leader = Leader()
    leader.contested(world("n1", "n1", vip(2)))
    assert leader.contested(world()) is True


def test_what_no_node_might_hold_for_a_while_is_contested_afterwards() -> None:
    leader, gone = Leader(), world("n1", "n1")
    leader.contested(gone)
    leader.contested(replace(gone, nodes={}))
    assert leader.contested(world()) is True


def test_what_an_agent_served_before_it_started_anew_is_contested() -> None:
    leader, before = Leader(), world("n1", "n1")
    leader.contested(before)
    leader.contested(changed(world("n1"), "n1", boot="c"))
    assert leader.contested(changed(world(), "n1", boot="c")) is True


def test_what_a_node_let_go_that_was_not_heard_is_contested() -> None:
    leader, before = Leader(), world("n1", "n1")
    leader.contested(before)
    silent = {**before.liveness, "n1": Liveness.UNKNOWN}
    leader.contested(replace(before, liveness=silent))
    assert leader.contested(replace(world(), liveness=silent)) is True


def test_after_a_pass_that_failed_nothing_counts_as_released() -> None:
    leader = Leader()
    leader.contested(world("n1", "n1"))
    leader.records = releases.update_records(leader.records, world())
    leader.records = releases.forget_releases(leader.records)
    assert leader.contested(world()) is True


def test_what_is_granted_already_stays_as_it_is_granted() -> None:
    assert Leader().contested(world("n2", "n2")) is False


def test_releases_are_told_apart_by_the_start_of_the_agent() -> None:
    known = ConfirmedReleases().updated("b", ONE, ONE).updated("c", frozenset(), frozenset())
    assert known == ConfirmedReleases("c")


def test_what_a_node_serves_is_not_known_once_it_is_not_heard() -> None:
    other = frozenset({"10.1.1.9"})
    assert ConfirmedReleases("b", ONE, other).without_served() == ConfirmedReleases(
        "b", released=other
    )


def test_no_release_counts_of_what_nobody_is_to_have() -> None:
    other = frozenset({"10.1.1.9"})
    assert ConfirmedReleases("b", ONE, other).limited_to(ONE) == ConfirmedReleases("b", ONE)
    assert ConfirmedReleases("b", ONE, other).limited_to(other) == ConfirmedReleases(
        "b", released=other
    )
    assert ConfirmedReleases("b", released=other).limited_to(frozenset()) == ConfirmedReleases("b")


def test_what_is_granted_again_is_released_no_more() -> None:
    assert ConfirmedReleases("b", released=ONE).updated(
        "b", ONE, frozenset()
    ) == ConfirmedReleases("b")


SPENT = "10.1.1.6"
THERE = Placement("eth1", 32, fencing="Segment")


def marked(served: frozenset[str] = ONE, spent: str = SPENT) -> Snapshot:
    """n2 is granted the address as contested, and another one that nobody wants any more."""
    snapshot = replace(world("n2"), witnessed={"n2": frozenset({"eth1"})})
    grants = {THERE: ONE | ({spent} if spent else set())}
    return changed(snapshot, "n2", grants=grants, contested=ONE, served=served)


def stays_contested(snapshot: Snapshot, records: releases.ReleaseRecords | None = None) -> bool:
    """Whether it is still contested when n2's spec is written next, by a leader that looks."""
    records = releases.update_records(records or {}, snapshot)
    plan = decision.decide(snapshot, records).plans["n2"]
    assert plan.addresses == ONE
    assert not plan.is_in(snapshot.plumbings["n2"])
    return plan.contested == ONE


def test_what_is_served_is_contested_no_more_once_its_spec_is_written_anyway() -> None:
    assert not stays_contested(marked())


def test_no_spec_is_written_for_that_alone() -> None:
    snapshot = marked(spent="")
    plan = decision.decide(snapshot, releases.update_records({}, snapshot)).plans["n2"]
    assert plan.contested == ONE
    assert plan.is_in(snapshot.plumbings["n2"])


def test_what_is_not_known_to_be_served_now_stays_contested() -> None:
    assert stays_contested(marked(frozenset()))
    assert stays_contested(changed(marked(), "n2", generation=2)), "n2 has not acted on its spec"
    silent = {**marked().liveness, "n2": Liveness.UNKNOWN}
    assert stays_contested(replace(marked(), liveness=silent))
    assert stays_contested(replace(marked(), ahead_of_store=frozenset({"n2"})))


def test_a_report_of_before_the_contested_grant_does_not_settle_it() -> None:
    before = changed(world(), "n2", grants={THERE: frozenset({SPENT})})
    records = releases.update_records({}, before)
    written = replace(marked().plumbings["n2"], generation=2)
    records = releases.after_write(records, before.plumbings["n2"], written)
    assert stays_contested(changed(marked(), "n2", generation=2), records)
    assert not stays_contested(
        changed(marked(), "n2", generation=2, observed_generation=2), records
    )


def test_what_a_node_says_to_serve_before_it_is_granted_that_does_not_settle_it() -> None:
    ungranted = changed(marked(), "n2", grants={THERE: frozenset({SPENT})}, contested=frozenset())
    assert stays_contested(ungranted)


def test_what_another_node_may_hold_stays_contested() -> None:
    assert stays_contested(changed(marked(), "n1", served=ONE))
    assert stays_contested(changed(marked(), "n1", grants={THERE: ONE}))
    assert stays_contested(changed(marked(), "n1", generation=2)), "n1 may hold anything"
    assert stays_contested(replace(marked(), pending_grants={"n1": ONE}))
    assert not stays_contested(replace(marked(), pending_grants={"n2": ONE}))
    assert not stays_contested(changed(marked(), "n1", generation=2, stopped=True))


def test_what_was_taken_from_a_node_that_has_not_acted_on_that_stays_contested() -> None:
    before = world("n1", "n1")
    records = releases.update_records({}, before)
    taken = replace(before.plumbings["n1"], grants={}, generation=2)
    records = releases.after_write(records, before.plumbings["n1"], taken)
    assert stays_contested(changed(marked(), "n1", generation=2), records)
    assert not stays_contested(
        changed(marked(), "n1", generation=2, observed_generation=2), records
    )
    another = replace(records["n1"], unconfirmed=frozenset({"10.1.1.9"}))
    assert not stays_contested(changed(marked(), "n1", generation=2), {**records, "n1": another})


def test_what_another_node_calls_its_own_stays_contested() -> None:
    number = int(ip_address(VIP.address))
    assert stays_contested(changed(marked(), "n1", own_ranges=(Range(4, number, number),)))
    assert stays_contested(changed(marked(), "n1", lists_all_own=False))
