"""The agent's half of the hand-over rule, A1 to A7: what may be heard now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.core.fencing import (
    ALWAYS,
    PROBE_EVERY,
    PROBE_LASTING_AFTER,
    PROBE_LASTING_EVERY,
    Facts,
    Granted,
    Probed,
    Verdict,
    judged,
)
from duravip_agent.core.watchdog_rule import NEVER, Contact, Leash, Limits, is_late, may_refresh

A, B, C = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
MAC = "02:00:00:00:00:01"
NOW = 100.0
LIMITS = Limits(dead_man=0.5, contact=0.3, strict_hold=3.0, progress=0.4)


def just(*addresses: str) -> frozenset[str]:
    return frozenset(addresses)


FREE = Granted("eth1", free=just(A))
CONTESTED = Granted("eth1", contested=just(A))
STRICT = Granted("eth1", free=just(A), is_strict=True)
IN_CONTACT = Facts(
    now=NOW,
    epoch=3,
    generation=7,
    grants=(FREE,),
    contact=Contact(sent=NOW - 0.1, epoch=3, generation=7),
    refreshed=NOW - 0.1,
    links=just("eth1"),
    limits=LIMITS,
)
SERVING = replace(IN_CONTACT, armed=just(A))
LONELY = replace(SERVING, contact=Contact(NOW - 60, 3, 7))


def heard(**changes: float) -> Contact:
    assert IN_CONTACT.contact is not None
    return IN_CONTACT.contact._replace(**changes)  # type: ignore[arg-type]


def test_a_free_grant_is_armed_in_contact() -> None:
    verdict = judged(IN_CONTACT)
    assert (verdict.arm, verdict.keep, verdict.mute, verdict.probe) == (just(A), *[just()] * 3)
    assert verdict.due == ALWAYS


@pytest.mark.parametrize(
    "contact",
    [
        None,
        heard(sent=NOW - 0.31),
        heard(generation=6),
        heard(generation=8),
        heard(epoch=2),
    ],
    ids=["none", "old", "behind", "newer spec", "former leader"],
)
def test_without_contact_nothing_is_armed_and_what_is_armed_stays(contact: Contact | None) -> None:
    assert not judged(replace(IN_CONTACT, contact=contact)).arm
    assert judged(replace(IN_CONTACT, contact=contact)).due > NOW
    assert judged(replace(SERVING, contact=contact)).keep == just(A)


def test_a_new_leader_must_have_written_the_spec_before_it_counts_as_contact() -> None:
    """Its generation may be one of a restored store that another spec has had before."""
    assert judged(replace(IN_CONTACT, contact=heard(epoch=4))).arm == just()
    stamped = replace(IN_CONTACT, epoch=4, contact=heard(epoch=4))
    assert judged(stamped).arm == just(A)


def test_arming_is_allowed_only_until_the_acknowledgement_is_too_old() -> None:
    assert judged(IN_CONTACT).arm_before == pytest.approx(NOW + 0.2)
    assert judged(replace(IN_CONTACT, contact=None)).arm_before == NEVER


@pytest.mark.parametrize(
    ("probed", "arms", "probes"),
    [
        ({}, False, True),
        ({A: Probed(NOW - 0.01)}, True, False),
        ({A: Probed(NOW - 0.26)}, False, True),
        ({A: Probed(NOW - 0.01, MAC)}, False, False),
        ({A: Probed(NOW - 0.06, MAC)}, False, True),
        ({B: Probed(NOW - 0.01)}, False, True),
    ],
    ids=["never asked", "silent", "silent long ago", "answered", "answered before", "another"],
)
def test_a_contested_grant_is_armed_after_silence_only(
    probed: dict[str, Probed], *, arms: bool, probes: bool
) -> None:
    verdict = judged(replace(IN_CONTACT, grants=(CONTESTED,), probed=probed))
    assert (bool(verdict.arm), bool(verdict.probe)) == (arms, probes)
    assert arms or verdict.due <= NOW + 0.05


def test_who_has_answered_for_long_is_asked_less_often() -> None:
    def probes(since: float, age: float) -> bool:
        probed = {A: Probed(NOW - age, MAC, NOW - age - since)}
        return judged(replace(IN_CONTACT, grants=(CONTESTED,), probed=probed)).probe == just(A)

    assert probes(PROBE_LASTING_AFTER - 0.1, 2 * PROBE_EVERY)
    assert not probes(PROBE_LASTING_AFTER, 2 * PROBE_EVERY)
    assert probes(PROBE_LASTING_AFTER, PROBE_LASTING_EVERY)
    lasting = {A: Probed(NOW, MAC, NOW - 60)}
    verdict = judged(replace(IN_CONTACT, grants=(CONTESTED,), probed=lasting))
    assert verdict.due == NOW + PROBE_LASTING_EVERY


def test_a_free_grant_that_may_be_a_strangers_by_now_is_contested() -> None:
    facts = replace(IN_CONTACT, grants=(Granted("eth1", free=just(A)),), stale=just(A))
    assert (judged(facts).arm, judged(facts).probe) == (just(), just(A))
    assert judged(replace(facts, probed={A: Probed(NOW)})).arm == just(A)
    kept = replace(facts, armed=just(A), refreshed=NOW)
    assert (judged(kept).keep, judged(kept).probe) == (just(A), just())


def test_a_contested_grant_is_neither_probed_nor_armed_without_contact() -> None:
    facts = replace(IN_CONTACT, grants=(CONTESTED,), contact=None, probed={A: Probed(NOW)})
    assert (judged(facts).probe, judged(facts).arm) == (just(), just())


def test_the_segment_is_asked_while_the_acknowledgement_of_the_new_spec_is_on_its_way() -> None:
    before = heard(generation=6)
    verdict = judged(replace(IN_CONTACT, grants=(CONTESTED,), contact=before))
    assert (verdict.arm, verdict.probe) == (just(), just(A))
    silent = {A: Probed(NOW)}
    assert not judged(replace(IN_CONTACT, grants=(CONTESTED,), contact=before, probed=silent)).arm
    assert judged(replace(IN_CONTACT, grants=(CONTESTED,), probed=silent)).arm == just(A)


def test_what_was_armed_on_a_contested_grant_is_not_probed_again() -> None:
    verdict = judged(replace(SERVING, grants=(CONTESTED,)))
    assert (verdict.keep, verdict.probe, verdict.mute) == (just(A), just(), just())


def test_without_any_contact_what_is_armed_stays_for_ever() -> None:
    assert judged(LONELY).keep == just(A)


@pytest.mark.parametrize("refreshed", [None, NOW - 0.48, NOW - 20], ids=str)
def test_after_a_late_refresh_everything_is_armed_anew_or_mute(refreshed: float | None) -> None:
    assert judged(replace(LONELY, refreshed=refreshed)).mute == just(A)
    again = judged(replace(SERVING, refreshed=refreshed))
    assert (again.keep, again.arm, again.mute) == (just(), just(A), just())
    contested = judged(replace(SERVING, refreshed=refreshed, grants=(CONTESTED,)))
    assert (contested.mute, contested.probe) == (just(A), just(A))


def test_a_foreign_claim_mutes_whoever_has_no_contact() -> None:
    verdict = judged(replace(LONELY, claimed=just(A, B)))
    assert (verdict.mute, verdict.defend) == (just(A), just())


def test_in_contact_a_claimed_address_is_defended_now_and_then() -> None:
    claimed = replace(SERVING, claimed=just(A, B))
    assert (judged(claimed).keep, judged(claimed).defend) == (just(A), just(A))
    assert not judged(replace(claimed, defended={A: NOW - 9.9})).defend
    assert judged(replace(claimed, defended={A: NOW - 11})).defend == just(A)


def test_a_newer_generation_is_read_at_once() -> None:
    assert judged(replace(SERVING, contact=heard(generation=8))).must_read
    assert not judged(replace(SERVING, contact=heard(generation=6))).must_read
    assert not judged(replace(SERVING, contact=heard(generation=8, epoch=2))).must_read


def test_an_interface_without_a_link_has_nothing_armed() -> None:
    verdict = judged(replace(SERVING, links=just("eth0")))
    assert (verdict.mute, verdict.arm) == (just(A), just())


def test_what_is_not_granted_any_more_is_muted() -> None:
    assert judged(replace(SERVING, grants=())).mute == just(A)


@pytest.mark.parametrize(("age", "stays"), [(2.1, True), (2.21, False)])
def test_strictly_fenced_addresses_are_muted_before_the_operator_gives_them_away(
    age: float, *, stays: bool
) -> None:
    both = (STRICT, Granted("eth1", free=just(B)))
    facts = replace(SERVING, grants=both, armed=just(A, B), contact=heard(sent=NOW - age))
    verdict = judged(facts)
    assert (A in verdict.keep, B in verdict.keep) == (stays, True)
    assert verdict.has_strict == stays
    assert not stays or verdict.due == pytest.approx(NOW + 0.1)


LEASH = Leash(refreshed=NOW - 0.1, progress=NOW - 0.1, limits=LIMITS)


def test_a_living_agent_may_refresh_whatever_the_operator_does() -> None:
    assert may_refresh(LEASH, NOW)


def test_a_hung_loop_is_not_kept_alive() -> None:
    hung = replace(LEASH, progress=NOW - 0.41)
    assert not may_refresh(hung, NOW)
    assert not is_late(hung, NOW), "it may come round again before the dead-man's time is over"


def test_a_refresh_is_late_when_the_kernel_may_have_muted_meanwhile() -> None:
    assert not is_late(LEASH, NOW + 0.36)
    assert is_late(LEASH, NOW + 0.38)
    assert is_late(replace(LEASH, refreshed=None), NOW)


def test_strict_addresses_are_not_kept_audible_beyond_what_the_operator_counts_on() -> None:
    strict = replace(LEASH, has_strict=True, contact=Contact(NOW - 2.4, 3, 7))
    assert may_refresh(strict, NOW)
    assert is_late(strict, NOW + 0.11)
    assert is_late(replace(strict, contact=None), NOW)


ADDRESSES = st.frozensets(st.sampled_from((A, B, C)))
TIMES = st.sampled_from((NOW - 60, NOW - 2.3, NOW - 0.45, NOW - 0.31, NOW - 0.06, NOW - 0.02, NOW))
PROBES = st.builds(Probed, TIMES, st.sampled_from(("", MAC)))
FACTS = st.builds(
    Facts,
    now=st.just(NOW),
    epoch=st.integers(1, 2),
    generation=st.integers(1, 2),
    grants=st.lists(
        st.builds(Granted, st.sampled_from(("eth0", "eth1")), ADDRESSES, ADDRESSES, st.booleans()),
        max_size=3,
    ).map(tuple),
    contact=st.none() | st.builds(Contact, TIMES, st.integers(1, 2), st.integers(1, 2)),
    armed=ADDRESSES,
    refreshed=st.none() | TIMES,
    links=st.frozensets(st.sampled_from(("eth0", "eth1"))),
    probed=st.dictionaries(st.sampled_from((A, B, C)), PROBES),
    claimed=ADDRESSES,
    limits=st.just(LIMITS),
)


def after(facts: Facts, verdict: Verdict) -> Facts:
    """The same moment, once the verdict was carried out."""
    return replace(facts, armed=verdict.keep | verdict.arm, claimed=just(), refreshed=facts.now)


@given(FACTS)
def test_a_verdict_is_about_each_address_once(facts: Facts) -> None:
    verdict = judged(facts)
    parts = (verdict.keep, verdict.arm, verdict.mute)
    assert sum(map(len, parts)) == len(just().union(*parts))
    assert facts.armed <= just().union(*parts)
    assert not verdict.probe & verdict.keep
    granted = just().union(*(g.free | g.contested for g in facts.grants))
    assert verdict.keep | verdict.arm | verdict.probe <= granted


@given(FACTS)
def test_a_verdict_that_was_carried_out_is_not_changed_by_looking_again(facts: Facts) -> None:
    once = judged(facts)
    twice = judged(after(facts, once))
    assert twice.keep >= once.keep | once.arm
    assert not twice.mute
    assert facts.claimed or not twice.arm


@given(FACTS)
def test_nothing_is_armed_out_of_contact_and_nothing_kept_after_a_lapse(facts: Facts) -> None:
    verdict = judged(facts)
    contact = facts.contact
    if contact is None or contact.generation != facts.generation or NOW - contact.sent >= 0.3:
        assert not verdict.arm | verdict.defend
    if contact is None or contact.generation > facts.generation or NOW - contact.sent >= 0.3:
        assert not verdict.probe
    if facts.refreshed is None or NOW - facts.refreshed >= 0.5:
        assert not verdict.keep
