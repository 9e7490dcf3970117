"""What is said of an address that is not where its preference names, and of one that is held."""

from dataclasses import replace

from duravip_api.reasons import Reason
from duravip_operator.core import advisories, quarantine
from duravip_operator.core.election import Assignment
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.quarantine import HoldFailure
from duravip_operator.core.snapshot import MoveRequest, Node, Snapshot, VipObject
from duravip_operator.core.topologies import build_blocks
from duravip_operator.core.units import Unit, build_units
from unit.operator.admission_world import topology

A = "10.1.1.1"
ENTITY = VipObject("Binding", "mail", "out", "u", "2026", address=A)
UNIT = Unit(A, (ENTITY,), managed=True, preference="n1")
SEEN = Snapshot(nodes={"n1": Node("n1"), "n2": Node("n2")})


def assignment(owner: str, **refusals: Reason) -> Assignment:
    both, none = frozenset({"n1", "n2"}), frozenset[str]()
    return Assignment(owner, Eligible(both, both - refusals.keys(), both, none, none, refusals))


def said(unit: Unit, chosen: Assignment, seen: Snapshot = SEEN) -> dict[str, tuple[Reason, str]]:
    found = {k: (r, text) for k, r, text in advisories.preference_advisories(unit, chosen, seen)}
    assert not (found and advisories.is_as_wanted(unit, chosen.owner))
    return found


def test_a_preferred_node_that_may_not_have_it_is_named_with_the_reason() -> None:
    reason, text = said(UNIT, assignment("n2", n1=Reason.INTERFACE_DOWN))["PreferenceNotMet"]
    assert reason is Reason.INTERFACE_DOWN
    assert text.startswith("n1 is preferred and may not have it: InterfaceDown: ")


def test_where_it_was_given_up_it_is_said_until_when() -> None:
    seen = replace(SEEN, quarantined_until={(A, "n1"): "2026-01-01T00:05:00Z"})
    _, text = said(UNIT, assignment("n2", n1=Reason.REPAIR_FAILED), seen)["PreferenceNotMet"]
    assert text.endswith("; it is tried there again at 2026-01-01T00:05:00Z")


def test_nothing_is_said_while_the_preference_is_met_or_on_its_way() -> None:
    assert said(UNIT, assignment("n1")) == {}
    assert said(UNIT, assignment("n2")) == {}, "a hiccup, or about to return"
    assert said(UNIT, assignment("", n1=Reason.NODE_SILENT)) == {}, "which Ready says"
    unknown = UNIT._replace(preference="n9")
    assert said(unknown, assignment("n2")) == {}, "which PreferredNodeUnknown says"


def test_what_is_held_says_where_by_whom_and_since_when() -> None:
    asked = MoveRequest(1767225600.5, "n2", releases=False)
    by = replace(ENTITY, kind="DuraVIP", name="web", requests=(asked,))
    unit = UNIT._replace(preference="", request=asked, vips=(ENTITY, by))
    reason, text = said(unit, assignment("n2"))["Held"]
    assert reason is Reason.HELD
    assert "held on n2 as DuraVIP mail/web asks since 2026-01-01T00:00:00Z" in text
    assert said(unit, assignment("n1")) == {}
    assert said(unit._replace(leader="10.1.1.9"), assignment("n2")) == {}
    released = asked._replace(releases=True)
    assert said(unit._replace(request=released), assignment("n2")) == {}


def test_the_time_of_the_next_try_is_not_told_anew_for_a_few_seconds() -> None:
    known = {("n1", A): HoldFailure(0.0, 10.0, 310.0), ("n2", A): HoldFailure(0.0, 10.0)}
    first = quarantine.quarantine_ends(known, 10.0, 1767225600.0, {})
    assert first == {(A, "n1"): "2026-01-01T00:05:00Z"}
    assert quarantine.quarantine_ends(known, 11.0, 1767225609.0, first) == first
    later = quarantine.quarantine_ends(known, 11.0, 1767225700.0, first)
    assert later == {(A, "n1"): "2026-01-01T00:06:39Z"}


def test_of_more_ports_than_a_guard_can_open_it_is_said_which_stay_closed() -> None:
    def offering(name: str, first: int) -> VipObject:
        ports = frozenset((f"TCP/{port}", "") for port in range(first, first + 64))
        guarded = replace(ENTITY, kind="DuraVIP", uid=name, name=name, is_guarded=True)
        return replace(guarded, services=ports)

    vips = tuple(offering(f"d{n}", 1000 + 64 * n) for n in range(5))

    def said_of(objects: tuple[VipObject, ...]) -> dict[str, list[tuple[str, str]]]:
        lan = topology()
        seen = Snapshot(vips=objects, topologies=(lan,))
        units = build_units(seen, build_blocks((lan,), "Segment")).units
        found = advisories.object_advisories(units, objects)
        return {uid: [(kind, text) for kind, _, text in one] for uid, one in found.items()}

    assert said_of(vips[:4]) == {}, "256 ports"
    (closed,) = said_of(vips)["d4"]
    assert closed[0] == "PortIgnored"
    assert closed[1].startswith("10.1.1.1 has more than 256: TCP/1256, TCP/1257, ")
    assert closed[1].endswith(" and 59 more")
    assert said_of(vips).keys() == {"d4"}
