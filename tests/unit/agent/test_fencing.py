"""The agent's half of the hand-over rule, A1 to A7: what may be heard now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.core.fencing import (
    ALWAYS,
    PROBE_EVERY_S,
    PROBE_LASTING_AFTER_S,
    PROBE_LASTING_EVERY_S,
    Facts,
    FencingDecision,
    InterfaceShare,
    ProbeAnswer,
    decide,
)
from duravip_agent.core.watchdog_rule import (
    NEVER,
    LeaderContact,
    Timeouts,
)

A, B, C = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
MAC = "02:00:00:00:00:01"
NOW = 100.0
LIMITS = Timeouts(watchdog=0.5, contact=0.3, strict_hold=3.0, progress=0.4)


def just(*addresses: str) -> frozenset[str]:
    return frozenset(addresses)


FREE = InterfaceShare("eth1", free=just(A))
CONTESTED = InterfaceShare("eth1", contested=just(A))
STRICT = InterfaceShare("eth1", free=just(A), is_strict=True)
IN_CONTACT = Facts(
    now=NOW,
    epoch=3,
    generation=7,
    grants=(FREE,),
    contact=LeaderContact(sent=NOW - 0.1, epoch=3, generation=7),
    fed_at=NOW - 0.1,
    links=just("eth1"),
    timeouts=LIMITS,
)
SERVING = replace(IN_CONTACT, active=just(A))
LONELY = replace(SERVING, contact=LeaderContact(NOW - 60, 3, 7))


def heard(**changes: float) -> LeaderContact:
    assert IN_CONTACT.contact is not None
    return IN_CONTACT.contact._replace(**changes)  # type: ignore[arg-type]


def test_a_free_grant_is_armed_in_contact() -> None:
    verdict = decide(IN_CONTACT)
    assert (verdict.activate, verdict.keep, verdict.mute, verdict.probe) == (
        just(A),
        *[just()] * 3,
    )
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
def test_without_contact_nothing_is_armed_and_what_is_armed_stays(
    contact: LeaderContact | None,
) -> None:
    assert not decide(replace(IN_CONTACT, contact=contact)).activate
    assert decide(replace(IN_CONTACT, contact=contact)).due > NOW
    assert decide(replace(SERVING, contact=contact)).keep == just(A)


def test_a_new_leader_must_have_written_the_spec_before_it_counts_as_contact() -> None:
    """Its generation may be one of a restored store that another spec has had before."""
    assert decide(replace(IN_CONTACT, contact=heard(epoch=4))).activate == just()
    stamped = replace(IN_CONTACT, epoch=4, contact=heard(epoch=4))
    assert decide(stamped).activate == just(A)


def test_arming_is_allowed_only_until_the_acknowledgement_is_too_old() -> None:
    assert decide(IN_CONTACT).activate_before == pytest.approx(NOW + 0.2)
    assert decide(replace(IN_CONTACT, contact=None)).activate_before == NEVER


@pytest.mark.parametrize(
    ("probed", "arms", "probes"),
    [
        ({}, False, True),
        ({A: ProbeAnswer(NOW - 0.01)}, True, False),
        ({A: ProbeAnswer(NOW - 0.26)}, False, True),
        ({A: ProbeAnswer(NOW - 0.01, MAC)}, False, False),
        ({A: ProbeAnswer(NOW - 0.06, MAC)}, False, True),
        ({B: ProbeAnswer(NOW - 0.01)}, False, True),
    ],
    ids=["never asked", "silent", "silent long ago", "answered", "answered before", "another"],
)
def test_a_contested_grant_is_armed_after_silence_only(
    probed: dict[str, ProbeAnswer], *, arms: bool, probes: bool
) -> None:
    verdict = decide(replace(IN_CONTACT, grants=(CONTESTED,), probed=probed))
    assert (bool(verdict.activate), bool(verdict.probe)) == (arms, probes)
    assert arms or verdict.due <= NOW + 0.05


def test_who_has_answered_for_long_is_asked_less_often() -> None:
    def probes(since: float, age: float) -> bool:
        probed = {A: ProbeAnswer(NOW - age, MAC, NOW - age - since)}
        return decide(replace(IN_CONTACT, grants=(CONTESTED,), probed=probed)).probe == just(A)

    assert probes(PROBE_LASTING_AFTER_S - 0.1, 2 * PROBE_EVERY_S)
    assert not probes(PROBE_LASTING_AFTER_S, 2 * PROBE_EVERY_S)
    assert probes(PROBE_LASTING_AFTER_S, PROBE_LASTING_EVERY_S)
    lasting = {A: ProbeAnswer(NOW, MAC, NOW - 60)}
    verdict = decide(replace(IN_CONTACT, grants=(CONTESTED,), probed=lasting))
    assert verdict.due == NOW + PROBE_LASTING_EVERY_S


def test_a_free_grant_that_may_be_a_strangers_by_now_is_contested() -> None:
    facts = replace(IN_CONTACT, grants=(InterfaceShare("eth1", free=just(A)),), stale=just(A))
    assert (decide(facts).activate, decide(facts).probe) == (just(), just(A))
    assert decide(replace(facts, probed={A: ProbeAnswer(NOW)})).activate == just(A)
    kept = replace(facts, active=just(A), fed_at=NOW)
    assert (decide(kept).keep, decide(kept).probe) == (just(A), just())


def test_a_contested_grant_is_neither_probed_nor_armed_without_contact() -> None:
    facts = replace(IN_CONTACT, grants=(CONTESTED,), contact=None, probed={A: ProbeAnswer(NOW)})
    assert (decide(facts).probe, decide(facts).activate) == (just(), just())


def test_the_segment_is_asked_while_the_acknowledgement_of_the_new_spec_is_on_its_way() -> None:
    before = heard(generation=6)
    verdict = decide(replace(IN_CONTACT, grants=(CONTESTED,), contact=before))
    assert (verdict.activate, verdict.probe) == (just(), just(A))
    silent = {A: ProbeAnswer(NOW)}
    assert not decide(
        replace(IN_CONTACT, grants=(CONTESTED,), contact=before, probed=silent)
    ).activate
    assert decide(replace(IN_CONTACT, grants=(CONTESTED,), probed=silent)).activate == just(A)


def test_what_was_armed_on_a_contested_grant_is_not_probed_again() -> None:
    verdict = decide(replace(SERVING, grants=(CONTESTED,)))
    assert (verdict.keep, verdict.probe, verdict.mute) == (just(A), just(), just())


def test_without_any_contact_what_is_armed_stays_for_ever() -> None:
    assert decide(LONELY).keep == just(A)


@pytest.mark.parametrize("refreshed", [None, NOW - 0.48, NOW - 20], ids=str)
def test_after_a_late_refresh_everything_is_armed_anew_or_mute(refreshed: float | None) -> None:
    assert decide(replace(LONELY, fed_at=refreshed)).mute == just(A)
    again = decide(replace(SERVING, fed_at=refreshed))
    assert (again.keep, again.activate, again.mute) == (just(), just(A), just())
    contested = decide(replace(SERVING, fed_at=refreshed, grants=(CONTESTED,)))
    assert (contested.mute, contested.probe) == (just(A), just(A))


def test_a_foreign_claim_mutes_whoever_has_no_contact() -> None:
    verdict = decide(replace(LONELY, claimed=just(A, B)))
    assert (verdict.mute, verdict.defend) == (just(A), just())


def test_in_contact_a_claimed_address_is_defended_now_and_then() -> None:
    claimed = replace(SERVING, claimed=just(A, B))
    assert (decide(claimed).keep, decide(claimed).defend) == (just(A), just(A))
    assert not decide(replace(claimed, defended={A: NOW - 9.9})).defend
    assert decide(replace(claimed, defended={A: NOW - 11})).defend == just(A)


def test_a_newer_generation_is_read_at_once() -> None:
    assert decide(replace(SERVING, contact=heard(generation=8))).must_read
    assert not decide(replace(SERVING, contact=heard(generation=6))).must_read
    assert not decide(replace(SERVING, contact=heard(generation=8, epoch=2))).must_read


def test_an_interface_without_a_link_has_nothing_armed() -> None:
    verdict = decide(replace(SERVING, links=just("eth0")))
    assert (verdict.mute, verdict.activate) == (just(A), just())


def test_what_is_not_granted_any_more_is_muted() -> None:
    assert decide(replace(SERVING, grants=())).mute == just(A)


@pytest.mark.parametrize(("age", "stays"), [(2.1, True), (2.21, False)])
def test_strictly_fenced_addresses_are_muted_before_the_operator_gives_them_away(
    age: float, *, stays: bool
) -> None:
    both = (STRICT, InterfaceShare("eth1", free=just(B)))
    facts = replace(SERVING, grants=both, active=just(A, B), contact=heard(sent=NOW - age))
    verdict = decide(facts)
    assert (A in verdict.keep, B in verdict.keep) == (stays, True)
    assert verdict.has_strict == stays
    assert not stays or verdict.due == pytest.approx(NOW + 0.1)


ADDRESSES = st.frozensets(st.sampled_from((A, B, C)))
TIMES = st.sampled_from((NOW - 60, NOW - 2.3, NOW - 0.45, NOW - 0.31, NOW - 0.06, NOW - 0.02, NOW))
PROBES = st.builds(ProbeAnswer, TIMES, st.sampled_from(("", MAC)))
FACTS = st.builds(
    Facts,
    now=st.just(NOW),
    epoch=st.integers(1, 2),
    generation=st.integers(1, 2),
    grants=st.lists(
        st.builds(
            InterfaceShare, st.sampled_from(("eth0", "eth1")), ADDRESSES, ADDRESSES, st.booleans()
        ),
        max_size=3,
    ).map(tuple),
    contact=st.none() | st.builds(LeaderContact, TIMES, st.integers(1, 2), st.integers(1, 2)),
    active=ADDRESSES,
    fed_at=st.none() | TIMES,
    links=st.frozensets(st.sampled_from(("eth0", "eth1"))),
    probed=st.dictionaries(st.sampled_from((A, B, C)), PROBES),
    claimed=ADDRESSES,
    timeouts=st.just(LIMITS),
)


def after(facts: Facts, verdict: FencingDecision) -> Facts:
    """The same moment, once the verdict was carried out."""
    return replace(facts, active=verdict.keep | verdict.activate, claimed=just(), fed_at=facts.now)


@given(FACTS)
def test_a_verdict_is_about_each_address_once(facts: Facts) -> None:
    verdict = decide(facts)
    parts = (verdict.keep, verdict.activate, verdict.mute)
    assert sum(map(len, parts)) == len(just().union(*parts))
    assert facts.active <= just().union(*parts)
    assert not verdict.probe & verdict.keep
    granted = just().union(*(g.free | g.contested for g in facts.grants))
    assert verdict.keep | verdict.activate | verdict.probe <= granted


@given(FACTS)
def test_a_verdict_that_was_carried_out_is_not_changed_by_looking_again(facts: Facts) -> None:
    once = decide(facts)
    twice = decide(after(facts, once))
    assert twice.keep >= once.keep | once.activate
    assert not twice.mute
    assert facts.claimed or not twice.activate


@given(FACTS)
def test_nothing_is_armed_out_of_contact_and_nothing_kept_after_a_lapse(facts: Facts) -> None:
    verdict = decide(facts)
    contact = facts.contact
    if contact is None or contact.generation != facts.generation or NOW - contact.sent >= 0.3:
        assert not verdict.activate | verdict.defend
    if contact is None or contact.generation > facts.generation or NOW - contact.sent >= 0.3:
        assert not verdict.probe
    if facts.fed_at is None or NOW - facts.fed_at >= 0.5:
        assert not verdict.keep
