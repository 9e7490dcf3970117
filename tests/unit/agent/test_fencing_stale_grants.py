"""When a free grant is no longer worth that: a stranger may have the address by now."""

from duravip_agent.core.fencing import STALE_AFTER_MUTE_S, Facts, FencingDecision, ProbeNeeds

A, B = frozenset({"10.1.1.1"}), frozenset({"10.1.1.2"})
NONE: frozenset[str] = frozenset()
NOW = 100.0
AUDIBLE = NOW + 0.5


def running() -> ProbeNeeds:
    """An agent's that has acted on an empty spec, was granted one address since and serves it."""
    needs = ProbeNeeds()
    needs.granted({})
    needs.granted({"eth1": A})
    needs.record_applied(Facts(NOW), FencingDecision(keep=A), AUDIBLE)
    assert needs.stale(NOW) == NONE
    return needs


def test_what_was_granted_before_the_agent_started_is_stale_until_it_is_served() -> None:
    needs = ProbeNeeds()
    needs.granted({"eth1": A})
    needs.granted({"eth1": A | B})
    assert needs.stale(NOW) == A
    needs.record_applied(Facts(NOW), FencingDecision(keep=A), AUDIBLE)
    assert needs.stale(NOW) == NONE


def test_what_comes_to_another_interface_is_stale_there() -> None:
    needs = running()
    needs.granted({"eth2": A, "eth1": B})
    assert needs.stale(NOW) == A
    needs.granted({"eth1": B})
    assert needs.stale(NOW) == NONE


def test_what_was_yielded_to_somebody_is_stale() -> None:
    needs = running()
    needs.record_applied(Facts(NOW, claimed=A), FencingDecision(mute=A), AUDIBLE)
    assert needs.stale(NOW) == A


def test_what_was_mute_for_a_moment_is_not_stale_and_for_long_it_is() -> None:
    needs = running()
    needs.record_applied(Facts(NOW), FencingDecision(mute=A), AUDIBLE)
    assert needs.stale(NOW + STALE_AFTER_MUTE_S - 0.1) == NONE
    assert needs.stale(NOW + STALE_AFTER_MUTE_S) == A
    needs.record_applied(Facts(NOW + 1), FencingDecision(keep=A), AUDIBLE)
    assert needs.stale(NOW + STALE_AFTER_MUTE_S) == NONE


def test_a_process_that_stood_still_was_mute_since_its_dead_man_struck() -> None:
    needs = running()
    needs.record_applied(Facts(NOW + 3600), FencingDecision(mute=A), AUDIBLE)
    assert needs.stale(NOW + 3600) == A


def test_what_is_granted_anew_is_not_stale() -> None:
    needs = running()
    needs.record_applied(Facts(NOW), FencingDecision(mute=A), AUDIBLE)
    needs.granted({})
    needs.granted({"eth1": A})
    assert needs.stale(NOW + 3600) == NONE


def test_before_the_first_spec_nothing_is_granted_and_nothing_stale() -> None:
    needs = ProbeNeeds()
    needs.record_applied(Facts(NOW), FencingDecision(mute=A), AUDIBLE)
    assert needs.stale(NOW + 3600) == NONE


def test_only_what_is_granted_and_muted_was_mute() -> None:
    needs = running()
    needs.record_applied(Facts(NOW), FencingDecision(keep=A, mute=B), AUDIBLE)
    assert needs.stale(NOW + 3600) == NONE
    needs.granted({"eth1": A | B})
    assert needs.stale(NOW + 3600) == NONE
