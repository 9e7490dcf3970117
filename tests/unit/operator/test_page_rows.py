"""What the live page shows of one object."""

import json
from dataclasses import replace

from duravip_api.listeners import parse_listeners, wildcard_ports
from duravip_api.nodeplumbing import Nic
from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Placement,
    Plumbing,
    ReadinessKey,
    Suspicion,
)
from duravip_operator.page.rows import (
    MAX_ITEMS_OF_ROW,
    MAX_TEXT,
    NO_REPORT,
    NodeFacts,
    address_row,
    depends_on_owner,
    node_column,
    owner_report,
    segment_row,
)
from unit.operator.clusters import LAN, NICS, vip
from unit.operator.page_world import owned

SMTP, HTTP = ("TCP/25", "smtp"), ("TCP/80", "http")


def test_a_row_says_what_the_status_says_and_leaves_out_what_is_empty() -> None:
    assert address_row(owned(1), NO_REPORT, {}) == {
        "id": "DuraVIP default/v1",
        "address": "10.1.1.1",
        "state": "Owned",
        "owner": "n1",
        "interface": "eth1",
        "reason": "Served",
        "message": "served",
    }
    assert address_row(vip(1), NO_REPORT, {}) == {
        "id": "DuraVIP default/v1",
        "address": "10.1.1.1",
    }


def test_conditions_beside_ready_are_shown_while_they_are_true() -> None:
    held = {"type": "Held", "status": "True", "reason": "Requested", "message": "held on n1"}
    over = {"type": "Conflict", "status": "False", "reason": "Accepted", "message": ""}
    row = address_row(owned(1, conditions=[held, over], flags="Conflict"), NO_REPORT, {})
    assert row["advice"] == [["Held", "Requested", "held on n1"]]
    assert row["flags"] == "Conflict"


def test_who_listens_is_what_the_agent_of_the_owner_reports() -> None:
    listening = parse_listeners(["TCP/25 0.0.0.0", "TCP/80"])
    report = owner_report(Plumbing("n1", listening=listening))
    offered = replace(owned(1), services=frozenset({SMTP, HTTP, ("UDP/53", "dns")}))
    assert depends_on_owner(offered)
    assert address_row(offered, report, {})["listens"] == [
        ["smtp", "TCP/25", True],
        ["http", "TCP/80", False],
        ["dns", "UDP/53", None],  # nobody has looked
    ]
    unowned = replace(offered, status={"state": "Unassigned"})
    assert address_row(unowned, report, {})["listens"][0] == ["smtp", "TCP/25", None]


def test_readiness_is_whether_the_owner_is_fit() -> None:
    keys = frozenset(
        {ReadinessKey("endpointsOf", "mail/web"), ReadinessKey("listening", "TCP/25 4")}
    )
    asked = replace(owned(1), readiness=keys, readiness_policy="Prefer")
    listening = parse_listeners(["TCP/25 0.0.0.0"])
    plumbing = Plumbing("n1", wildcard_ports=wildcard_ports(listening))
    row = address_row(asked, owner_report(plumbing), {})
    assert row["ready"] == [
        ["endpointsOf", "mail/web", False],
        ["listening", "TCP/25 4", True],
    ]
    assert row["prefers"]
    elsewhere = {"mail/web": ServiceEndpoints(frozenset({"n2"}))}
    here = {"mail/web": ServiceEndpoints(frozenset({"n1"}))}
    anywhere = {"mail/web": ServiceEndpoints(is_anywhere=True)}
    for endpoints, is_fit in ((elsewhere, False), (here, True), (anywhere, True)):
        found = address_row(asked, owner_report(plumbing), endpoints)["ready"][0]
        assert found == ["endpointsOf", "mail/web", is_fit]


def test_a_row_is_small_whatever_people_write() -> None:
    long = {"type": "Unsafe", "status": "True", "reason": "r" * 999, "message": "m" * 9999}
    services = frozenset((f"TCP/{n}", "s" * 63) for n in range(1, 65))
    keys = frozenset(ReadinessKey("endpointsOf", f"{n}/{'x' * 500}") for n in range(64))
    row = address_row(
        replace(
            owned(1, conditions=[long] * 64),
            services=services,
            readiness=keys,
            preference="p" * 9999,
            follow="f" * 9999,
        ),
        NO_REPORT,
        {},
    )
    assert len(row["listens"]) == len(row["ready"]) == MAX_ITEMS_OF_ROW
    assert len(row["preference"]) == len(row["follow"]) == MAX_TEXT
    assert len(json.dumps(row)) < 16_000


def facts(plumbing: Plumbing | None, liveness: Liveness = Liveness.ALIVE) -> NodeFacts:
    return NodeFacts("n1", Node("n1"), plumbing, liveness, None, None)


def test_a_column_says_what_a_node_is_granted_and_has_acted_on() -> None:
    grants = {Placement("eth1", 32): frozenset({"10.1.1.1", "10.1.1.2"})}
    plumbing = Plumbing(
        "n1", generation=5, observed_generation=4, epoch=7, grants=grants, boot="b", nics=NICS
    )
    column = node_column(facts(plumbing))
    assert (column["state"], column["granted"], column["served"]) == ("alive", 2, 0)
    assert (column["generation"], column["acted"], column["epoch"]) == (5, 4, 7)
    assert column["nics"] == [{"name": "eth1", "up": True}]
    heard = facts(plumbing)._replace(heartbeat=HeartbeatState("b", 5, "d"))
    assert node_column(heard)["acted"] == 5  # heartbeats say it first
    other = facts(plumbing)._replace(heartbeat=HeartbeatState("former", 9, "d"))
    assert node_column(other)["acted"] == 4


def test_a_node_is_as_its_agent_and_its_heartbeats_say() -> None:
    well = Plumbing("n1")
    assert node_column(facts(None, Liveness.UNKNOWN))["state"] == "unheard"
    assert node_column(facts(well, Liveness.WARMING_UP))["state"] == "young"
    assert node_column(facts(replace(well, stopped=True)))["state"] == "stopped"
    assert node_column(facts(replace(well, leaving=True)))["state"] == "leaving"
    unready = node_column(facts(replace(well, unready=("NoFence", "nft is missing"))))
    assert (unready["state"], unready["why"]) == ("unready", "nft is missing")
    silent = facts(well, Liveness.SUSPECT)._replace(
        silence=Suspicion(unreachable_on=frozenset({"eth1"}))
    )
    assert (node_column(silent)["state"], node_column(silent)["gone"]) == ("silent", ["eth1"])
    assert node_column(facts(well)._replace(node=None))["why"] == "there is no Node of this name"


def test_an_interface_that_cannot_answer_says_why() -> None:
    nic = Nic(name="eth1", index=2, up=True, carrier=False, speed_mbps=1000, unusable="rp_filter")
    column = node_column(facts(Plumbing("n1", nics={"eth1": nic})))
    assert column["nics"] == [{"name": "eth1", "speed": 1000, "fault": "rp_filter"}]


def test_a_segment_counts_its_nodes_and_those_that_another_one_hears() -> None:
    row = segment_row(LAN, {"eth1": 3}, ["n2"])
    assert (row["nodes"], row["witnessed"], row["unwitnessed"]) == (3, 2, ["n2"])
    assert (row["name"], row["cidr"], row["interface"]) == ("lan", "10.1.0.0/16", "eth1")
