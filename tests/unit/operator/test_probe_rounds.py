"""When a silent node is said to be gone, by a virtual clock and scouts that see what is so."""

from dataclasses import replace

import pytest

from duravip_api.heartbeat import ProbeReport
from duravip_api.timing import WATCH_EVERY, WITNESS_FOR
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse.probe_rounds import (
    FREQUENT_ROUNDS_FOR_S,
    LATE_ROUND_EVERY_S,
    ROUND_EVERY_S,
    ROUND_TIMEOUT_S,
    ProbeRounds,
)
from duravip_operator.pulse.probe_targets import (
    NodeTargets,
    ProbeTargets,
    Segment,
    interface_of,
)
from unit.operator.pulse_world import ETH1, NODES, NONE, STEP, Cluster, entry


@pytest.fixture
def cluster() -> Cluster:
    """One that has run for long enough for everybody to have witnesses."""
    cluster = Cluster()
    cluster.run(1)
    cluster.asked.clear()
    return cluster


def test_a_fresh_cluster_has_three_witnesses_a_node_within_a_second() -> None:
    cluster = Cluster()
    cluster.run(1)
    assert cluster.scouting.witnessed(cluster.now) == dict.fromkeys(NODES, ETH1)
    for name in NODES:
        looks = cluster.looks_at(name)
        assert len({ask.watch.scout for ask in looks}) == 3
        assert {ask.addresses for ask in looks} == {(f"10.1.0.{name[1]}",)}


def named(n: int, interface: str, *networks: str) -> NodeTargets:
    """A node whose interface on the segment has a name of its own."""
    here = ProbeTargets((f"10.1.0.{n}",), (f"10.1.1.{n}",), (), networks)
    return {Segment(interface, 4): here, Segment("eth0", 4): ProbeTargets((), (f"{n}",), ())}


def test_nodes_that_share_a_network_are_witnesses_whatever_they_call_it() -> None:
    cluster = Cluster(("n1", "n2", "n3"))
    lan = "10.1.0.0/16"
    entries = {"n1": named(1, "eth1", lan), "n2": named(2, "ens192", lan), "n3": named(3, "x9")}
    cluster.scouting.update_targets(entries, cluster.now)
    cluster.run(1)
    asked = {(*ask.watch[:2], ask.watch.segment.interface, ask.interface) for ask in cluster.asked}
    assert ("n2", "n1", "eth1", "ens192") in asked
    assert ("n1", "n2", "ens192", "eth1") in asked
    assert not [ask for ask in asked if ask[2] == "x9" or ask[3] == "x9"]
    witnessed = cluster.scouting.witnessed(cluster.now)
    assert witnessed["n1"] == {"eth1", "eth0"}
    assert witnessed["n2"] == {"ens192", "eth0"}
    assert witnessed["n3"] == {"eth0"}
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.step()
    assert "eth1" in cluster.outcome()[0]


def test_an_interface_in_the_same_network_is_asked_on_before_one_of_the_same_name() -> None:
    lan, other = "10.1.0.0/16", "10.2.0.0/16"
    suspect = ProbeTargets(("10.1.0.1",), (), (), (lan,))
    scout = {
        Segment("eth1", 4): ProbeTargets(("10.2.0.2",), (), (), (other,)),
        Segment("eth2", 4): ProbeTargets(("10.1.0.2",), (), (), (lan, other)),
    }
    eth1 = Segment("eth1", 4)
    assert interface_of(scout, eth1, suspect) == "eth2"
    assert interface_of(scout, eth1, suspect._replace(networks=(other,))) == "eth1"
    assert interface_of(scout, eth1, suspect._replace(networks=())) == "eth1"
    assert interface_of({}, eth1, suspect) == "eth1"


def test_all_replicas_choose_the_same_witnesses() -> None:
    one, other = Cluster(NODES), Cluster(NODES[::-1])
    one.run(0.1)
    other.run(0.1)
    assert {ask.watch for ask in one.asked} == {ask.watch for ask in other.asked}


def test_each_witness_looks_every_twenty_seconds_not_all_at_once(cluster: Cluster) -> None:
    cluster.run(2 * WATCH_EVERY)
    looks = len(cluster.asked)
    assert 2 * 15 <= looks <= 3 * 15
    cluster.asked.clear()
    cluster.run(WATCH_EVERY / 4)
    assert len(cluster.asked) < 10


def test_a_crashed_node_is_gone_as_soon_as_its_witnesses_have_looked(cluster: Cluster) -> None:
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.step()
    assert len(cluster.looks_at("n1")) == 3
    assert cluster.looks_at("n1")[0].addresses == ("10.1.1.1",)
    assert cluster.looks_at("n1")[0].macs == ("02:00:00:00:00:01",)
    assert cluster.outcome() == (ETH1, NONE)


def test_a_node_that_answers_is_not_gone_until_it_is_mute(cluster: Cluster) -> None:
    cluster.silence("n1")
    cluster.run(0.3)
    assert cluster.outcome() == (NONE, ETH1)
    cluster.muted.add("n1")
    cluster.run(ROUND_EVERY_S + STEP)
    assert cluster.outcome() == (ETH1, NONE)
    cluster.muted.clear()
    cluster.run(LATE_ROUND_EVERY_S + STEP)
    assert cluster.outcome() == (NONE, ETH1)


def test_one_answer_outweighs_all_silence(cluster: Cluster) -> None:
    cluster.silence("n1")
    cluster.deaf.update(("n2", "n3", "n4", "n5"))
    asks = cluster.scouting.due(cluster.now)
    for ask in asks[:-1]:
        cluster.scouting.take_report(cluster.sight(ask), cluster.now)
    assert cluster.outcome() == (NONE, NONE), "one has not said anything yet"
    cluster.scouting.take_report(cluster.sight(asks[-1], "answering"), cluster.now)
    cluster.scouting.evaluate(cluster.now + ROUND_TIMEOUT_S)
    assert cluster.outcome() == (NONE, ETH1)


def test_a_scout_that_says_nothing_is_not_waited_for_long(cluster: Cluster) -> None:
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.lazy.update(("n2", "n3", "n4"))
    cluster.step()
    cluster.step()
    assert cluster.outcome() == (NONE, NONE)
    cluster.run(ROUND_TIMEOUT_S)
    assert cluster.outcome() == (ETH1, NONE)


def test_a_scout_that_falls_silent_itself_is_not_waited_for() -> None:
    cluster = Cluster(("n1", "n2", "n3"))
    cluster.run(1)
    cluster.dead.update(("n1", "n2"))
    cluster.silence("n1")
    cluster.step()
    assert cluster.outcome() == (NONE, NONE)
    cluster.silence("n2")
    cluster.step()
    assert cluster.outcome("n1") == cluster.outcome("n2") == (ETH1, NONE)


def test_without_a_witness_nothing_is_said() -> None:
    cluster = Cluster()
    cluster.deaf.update(NODES)
    cluster.run(1)
    assert cluster.scouting.witnessed(cluster.now) == {}
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.run(FREQUENT_ROUNDS_FOR_S)
    assert cluster.outcome() == (NONE, NONE)


def test_where_nothing_is_heard_looks_become_rare() -> None:
    cluster = Cluster(("n1", "n2"))
    cluster.deaf.update(NODES)
    cluster.run(4 * WATCH_EVERY)
    cluster.asked.clear()
    cluster.run(2 * WATCH_EVERY)
    assert len(cluster.asked) <= 2 * 2 + 2


def test_only_a_witness_counts(cluster: Cluster) -> None:
    cluster.hearing["n6"] = Liveness.ALIVE
    cluster.deaf.update(NODES)
    cluster.scouting.update_targets({"n6": entry(6)}, cluster.now)
    cluster.return_("n6")
    cluster.run(1)
    assert cluster.looks_at("n6")
    cluster.dead.add("n6")
    cluster.silence("n6")
    cluster.run(1)
    assert cluster.outcome("n6") == (NONE, NONE)


def test_a_witness_is_one_for_a_minute_and_lost_looks_cost_nothing(cluster: Cluster) -> None:
    cluster.deaf.update(NODES)
    cluster.run(WITNESS_FOR - 22)
    assert cluster.scouting.witnessed(cluster.now) == dict.fromkeys(NODES, ETH1)
    cluster.run(24)
    assert cluster.scouting.witnessed(cluster.now) == {}


def test_a_node_that_is_gone_stays_so_when_its_witnesses_no_longer_count(cluster: Cluster) -> None:
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.run(WITNESS_FOR + 1)
    assert "n1" not in cluster.scouting.witnessed(cluster.now)
    assert cluster.outcome() == (ETH1, NONE)
    cluster.return_("n1")
    assert "n1" not in cluster.scouting.outcomes()


def test_where_it_serves_nothing_it_is_gone_if_it_has_a_witness(cluster: Cluster) -> None:
    both = {"n1": entry(1, served=False, interfaces=("eth1", "eth2"))}
    cluster.scouting.update_targets(both, cluster.now)
    cluster.silence("n1")
    cluster.step()
    assert cluster.outcome() == (NONE, NONE)
    cluster.run(0.2)
    assert cluster.outcome() == (ETH1, NONE)
    assert not cluster.looks_at("n1")


def test_what_it_loses_while_it_is_silent_is_still_asked_for(cluster: Cluster) -> None:
    cluster.silence("n1")
    cluster.scouting.update_targets({"n1": entry(1, served=False)}, cluster.now)
    cluster.run(0.1)
    assert cluster.outcome() == (NONE, ETH1)


def test_the_families_are_judged_apart(cluster: Cluster) -> None:
    sixes = {Segment("eth1", 6): ProbeTargets(("fd00::1",), ("fd00::100",), ())}
    cluster.scouting.update_targets({"n1": {**entry(1), **sixes}}, cluster.now)
    assert cluster.scouting.witnessed(cluster.now)["n1"] == NONE
    cluster.dead.add("n1")
    cluster.silence("n1")
    cluster.run(0.3)
    assert cluster.outcome() == (NONE, NONE), "nobody has ever heard it by neighbour discovery"


def test_a_report_that_nobody_has_asked_for_is_refused(cluster: Cluster) -> None:
    cluster.dead.add("n1")
    cluster.silence("n1")
    ask = cluster.scouting.due(cluster.now)[0]
    sight = cluster.sight(ask)
    take_report = cluster.scouting.take_report
    assert not take_report(ProbeReport("n1", 1 << 40, "n1", "eth1", "silent"), cluster.now)
    assert not take_report(ProbeReport("n9", ask.number, "n1", "eth1", "silent"), cluster.now)
    assert not take_report(
        ProbeReport(ask.watch.scout, ask.number, "n4", "eth1", "silent"), cluster.now
    )
    assert take_report(sight, cluster.now)
    assert not take_report(sight, cluster.now)


def test_what_an_earlier_process_has_found_stays_so() -> None:
    cluster = Cluster(("n1", "n2"))
    cluster.scouting = ProbeRounds(0)
    cluster.scouting.resume("n1", ETH1, cluster.now)
    for name in ("n1", "n2"):
        cluster.scouting.witnesses.resume(name, Segment("eth1", 4), cluster.now)
    cluster.silence("n1")
    cluster.scouting.update_targets({"n1": entry(1), "n2": entry(2)}, cluster.now)
    cluster.dead.add("n1")
    cluster.run(1)
    assert cluster.outcome() == (ETH1, NONE)
    assert cluster.scouting.witnessed(cluster.now) == {"n1": ETH1, "n2": ETH1}


def test_a_scout_that_remembers_is_a_witness_to_an_operator_that_does_not() -> None:
    cluster = Cluster(("n1", "n2"))
    cluster.dead.add("n1")
    cluster.silence("n1")
    for ago in (WITNESS_FOR + 1, WITNESS_FOR - 1):
        assert cluster.outcome() == (NONE, NONE)
        ask = next(a for a in cluster.scouting.due(cluster.now) if a.watch.scout == "n2")
        sight = replace(cluster.sight(ask), heard_ago=ago)
        cluster.scouting.take_report(sight, cluster.now)
        cluster.now += ROUND_EVERY_S + STEP
    assert cluster.outcome() == (ETH1, NONE)
