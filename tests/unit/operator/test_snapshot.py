"""What follows from the facts of one moment alone."""

from dataclasses import replace

from duravip_operator.core.snapshot import Placement, Plumbing, Snapshot, Suspicion, VipObject

ETH1 = Placement("eth1", 32)
LOOSE, STRICT = ETH1._replace(fencing="Segment"), ETH1._replace(fencing="Strict")
OTHER = Placement("eth2", 32, fencing="Segment")
A, B = frozenset({"10.1.1.1"}), frozenset({"10.1.1.2"})
IDLE = Plumbing("n1", generation=3, observed_generation=3)
NONE: frozenset[str] = frozenset()


def test_a_node_is_gone_where_a_witness_heard_nothing_unless_it_is_strictly_fenced() -> None:
    seen = Snapshot(suspicions={"n1": Suspicion(unreachable_on=frozenset({"eth1"}))})
    assert seen.is_gone("n1", LOOSE)
    assert seen.is_gone("n1", ETH1)
    assert not seen.is_gone("n1", STRICT)
    assert not seen.is_gone("n1", OTHER)
    assert not seen.is_gone("n2", LOOSE)


def test_a_strictly_fenced_node_is_gone_when_it_must_have_muted_itself() -> None:
    mute = Suspicion(is_self_fenced=True)
    strict = replace(IDLE, grants={STRICT: A}, strict=frozenset({"eth1"}))

    def is_gone(plumbing: Plumbing, suspicion: Suspicion = mute) -> bool:
        return Snapshot(plumbings={"n1": plumbing}, suspicions={"n1": suspicion}).is_gone(
            "n1", STRICT
        )

    assert is_gone(strict)
    assert not is_gone(strict, Suspicion())
    assert not is_gone(replace(strict, strict=NONE))
    assert not is_gone(replace(strict, grants={STRICT: A, LOOSE: B}))
    assert is_gone(replace(strict, grants={STRICT: A, OTHER: B}))
    assert is_gone(replace(strict, grants={}))
    assert not Snapshot(suspicions={"n1": mute}).is_gone("n1", STRICT)


def test_a_spec_is_acted_on_when_the_agent_names_its_generation() -> None:
    assert IDLE.has_acted
    assert not replace(IDLE, observed_generation=2).has_acted
    assert not replace(IDLE, epoch=2, seen_epoch=1).has_acted
    assert replace(IDLE, epoch=2, seen_epoch=2).has_acted
    assert replace(IDLE, grants={LOOSE: A, OTHER: B}).granted == A | B


def test_the_older_object_is_senior_and_of_one_moment_the_first_by_name() -> None:
    old = VipObject("DuraVIP", "b", "z", "1", "2026-01-01T00:00:00Z")
    same = VipObject("DuraVIP", "a", "z", "2", "2026-01-02T00:00:00Z")
    twin = replace(same, kind="Binding", name="y")
    assert sorted((same, twin, old), key=lambda one: one.seniority) == [old, twin, same]
    assert twin.label == "Binding a/y"
