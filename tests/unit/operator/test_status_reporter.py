"""What is written and said when something changes, and how much of it."""

from collections import Counter

from duravip_operator.core import decision
from duravip_operator.kube.status_writer import COUNTS_EVERY_S, WAIT_S, Priority
from unit.operator.status_world import ReportedWorld, world

SETTLED = WAIT_S[Priority.COUNTS]
MANY = 300


def crashed(made: ReportedWorld) -> ReportedWorld:
    made.crash(["n3"])
    made.settle()
    return made


def test_a_fail_over_writes_one_status_for_each_address_that_moves() -> None:
    made = crashed(world(MANY))
    written = made.write()
    assert made.writes == len(written) == 100
    assert {status["lastMove"]["from"] for status in written.values()} == {"n3"}
    assert {status["lastMove"]["time"] for status in written.values()} == set(made.heard.times)
    assert made.write(SETTLED / 2) == {}


def test_a_report_that_is_interrupted_loses_nothing() -> None:
    made = world(MANY)
    made.interrupts = iter([True])
    made.crash(["n3"])
    made.settle()
    written = made.write()
    assert made.writes == len(written) == len(made.heard.moves) == 100
    assert {status["lastMove"]["from"] for status in written.values()} == {"n3"}
    assert {status["lastMove"]["reason"] for status in written.values()} == {"NodeLost"}
    assert made.count("moves_total", reason="NodeLost") == 100


def test_how_many_take_part_is_written_soon_and_at_a_pace() -> None:
    made = crashed(world(MANY))
    made.write()
    soon = made.write(1.0)
    assert len(soon) >= 100, "as for a hundred addresses, all within a second"
    figures = soon | made.write(MANY * COUNTS_EVERY_S)
    assert len(figures) == 200
    assert {status["participants"] for status in figures.values()} == {2}
    made.settle()
    assert made.write(60) == {}


def test_a_node_that_is_back_soon_costs_nothing_but_what_has_moved() -> None:
    made = crashed(world(MANY))
    moved = made.write()
    made.boot(["n3"])
    made.settle()
    assert made.write(SETTLED + MANY * COUNTS_EVERY_S).keys() == moved.keys()
    assert made.write(60) == {}
    assert all(
        body["status"]["participants"] == 3
        for body in made.objects.values()
        if "address" in body["spec"]
    )


def test_at_rest_nothing_is_written_or_said() -> None:
    made = world(30)
    for _ in range(3):
        made.settle()
        assert made.write(60) == {}
    assert made.heard.of_entities == made.heard.of_nodes == made.heard.moves == []


def test_a_state_in_passing_is_written_when_it_lasts() -> None:
    made = world(3)
    made.hang(["n1", "n2"])
    crashed(made)
    assert made.write() == {}
    states = [status["state"] for status in made.write(WAIT_S[Priority.TRANSIENT]).values()]
    assert states.count("Moving") == 1


def test_what_is_undone_before_it_is_written_is_not_written() -> None:
    made = world(2)
    owners = {body["status"].get("owner") for body in made.objects.values()}
    (idle,) = made.machines.keys() - owners
    made.crash([idle])
    made.settle()
    assert len(made.writer.pending) == 4, "two addresses, their Topology, and the node itself"
    made.boot([idle])
    made.settle()
    assert made.write(60) == {}


def test_every_change_of_owner_is_said_of_the_entity_and_of_the_node() -> None:
    made = crashed(world(6))
    assert Counter((m.former, m.reason) for m in made.heard.moves) == {("n3", "NodeLost"): 2}
    assert made.heard.of_entities == [
        (f"d{move.address.rpartition('.')[2]}", "Warning NodeLost", move.sentence)
        for move in made.heard.moves
    ]


def test_an_address_of_two_objects_moves_once() -> None:
    made = world(3)
    held = next(
        n
        for n in range(1, 4)
        if made.objects["DuraVIP", "default", f"d{n}"]["status"]["owner"] == "n3"
    )
    made.apply([{"kind": "Binding", "name": "b", "spec": {"address": f"10.1.1.{held}"}}])
    made.settle()
    made.write(60)
    made.heard.reset()
    crashed(made)
    assert len(made.heard.moves) == 1
    assert {name for name, *_ in made.heard.of_entities} == {"b", f"d{held}"}


def test_a_node_is_said_to_be_lost_and_back_once() -> None:
    made = crashed(world(3))
    made.settle()
    made.boot(["n3"])
    made.settle()
    assert made.heard.of_nodes == [("n3", "Warning NodeLost"), ("n3", "Normal NodeBack")]


def test_a_node_of_which_another_machine_has_the_name_is_named_once() -> None:
    made = world(3)
    made.heard.reset()
    condition = {"type": "NameShared", "status": "True", "reason": "NameShared"}
    made.machines["n3"].notes = [
        {**condition, "message": "two of them", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ]
    made.settle()
    made.settle()
    assert made.heard.of_nodes == [("n3", "Warning NameShared")]


def test_a_node_is_lost_until_it_is_heard_although_its_agent_has_reported() -> None:
    made = crashed(world(3))
    made.machines["n3"].report(served=[], reason="AgentStarting")
    made.machines["n3"].plumbing["status"]["observedGeneration"] = None
    made.settle()
    made.boot(["n3"])
    made.settle()
    assert made.heard.of_nodes == [("n3", "Warning NodeLost"), ("n3", "Normal NodeBack")]


def test_an_agent_that_ends_in_order_is_not_lost() -> None:
    made = world(3)
    made.stop_agent(["n3"])
    made.silence({"n3": {"gone": ["eth1"], "muted": True}})
    made.settle()
    assert made.heard.of_nodes == []


def test_an_address_that_nobody_can_hold_any_more_says_so() -> None:
    made = world(1, nodes=1)
    made.unplug({"n1": "eth1"})
    made.settle()
    (said,) = made.heard.of_entities
    assert said[:2] == ("d1", "Warning NoParticipant")
    assert said[2].startswith("10.1.1.1 has left n1: ")


def test_a_topology_is_counted_while_nobody_else_hears_some_node() -> None:
    made = world(6)
    assert made.count("topologies_without_witness") == 0
    made.machines["n3"].unwitnessed = frozenset({"eth1"})
    made.settle()
    assert made.count("topologies_without_witness") == 1
    made.machines["n3"].unwitnessed = frozenset()
    made.settle()
    assert made.count("topologies_without_witness") == 0


def test_the_owners_of_as_many_addresses_as_asked_for_are_shown() -> None:
    made = world(6)
    shown = {"address": "10.1.1.1", "owner": "n1", "interface": "eth1", "state": "Owned"}
    value = made.metrics.registry.get_sample_value
    assert value("duravip_address_info", shown) == 1
    samples = [sample for family in made.metrics.addresses.collect() for sample in family.samples]
    assert [sample.labels["address"] for sample in samples] == ["10.1.1.1", "10.1.1.2"]
    made.metrics.lead(None)
    assert value("duravip_address_info", shown) is None


def test_moves_states_and_phases_are_counted() -> None:
    made = crashed(world(6))
    assert made.count("moves_total", reason="NodeLost") == 2
    assert made.count("moves_total", **{"from": "n3"}) == 2
    assert made.count("moves_total", reason="NodeLost", to="n3") == 0
    assert made.count("entities", state="Owned") == 6
    assert (made.count("node_heard"), made.count("node_heard", node="n3")) == (2, 0)
    for phase in ("decide", "write", "serve"):
        assert made.count("failover_seconds_count", phase=phase) == 1, phase


def test_an_address_that_is_deleted_amid_a_fail_over_hinders_nobody() -> None:
    made = world(3)
    made.hang(["n1", "n2"])
    crashed(made)
    written = made.write(WAIT_S[Priority.TRANSIENT]).items()
    ((kind, _, name),) = [key for key, status in written if status["state"] == "Moving"]
    made.delete([f"{kind} {name}"])
    snapshot = made.snapshot()
    made.reporting.record(snapshot, decision.decide(snapshot, {}))
    made.settle()


def test_flags_are_counted() -> None:
    made = world(2)
    for number, node in ((1, "n1"), (2, "n2")):
        spec = {"address": "10.1.1.9", "preference": node}
        made.apply([{"kind": "Binding", "name": f"b{number}", "spec": spec}])
    made.settle()
    assert made.count("flagged_entities", flag="Conflict") == 2
    assert made.count("flagged_entities", flag="Broken") == 0
