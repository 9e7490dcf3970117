"""What the live page is told: everything once, and then what differs."""

import json
from dataclasses import replace
from typing import Any

from duravip_api.listeners import parse_listeners
from duravip_operator.core.snapshot import Node
from duravip_operator.page.model import ROWS_PER_MESSAGE, PageModel, moves_told
from unit.operator.page_world import PageWorld, moved, owned


def parsed(event: bytes) -> dict[str, Any]:
    """The message of one event; nothing at all is an empty one."""
    if not event:
        return {}
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    found: dict[str, Any] = json.loads(event[6:])
    return found


def rows(encoded: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(row) for row in encoded]


class Told:
    """A model that is kept up to date with a world."""

    def __init__(self, vips: int = 3) -> None:
        self.world, self.model = PageWorld(vips), PageModel()
        self.update()

    def update(self) -> dict[str, Any]:
        """What is told of all that is new."""
        facts = self.world.facts()
        told = parsed(self.model.update_overview(facts))
        outdated = self.model.outdated(facts)
        moves = [*self.world.tape.recent(), *moves_told(outdated)]
        segments = self.model.update_segments(self.model.outdated_segments(facts))
        found = {
            "segments": rows(segments),
            "lostSegments": [json.loads(name) for name in self.model.remove_segments()],
            "rows": rows(self.model.update_rows(outdated)),
            "lostRows": [json.loads(name) for name in self.model.remove_rows(facts)],
            "moves": rows(self.model.update_moves(moves)),
        }
        return told | {name: value for name, value in found.items() if value}

    def whole(self) -> list[dict[str, Any]]:
        return [parsed(event) for event in self.model.whole()]


def test_the_whole_comes_in_pieces_between_a_begin_and_an_end() -> None:
    told = Told(2 * ROWS_PER_MESSAGE + 1)
    first, *pieces, last = told.whole()
    assert first["begin"]
    assert first["operator"]["leader"] == "op-1"
    assert [node["name"] for node in first["nodes"]] == ["n1", "n2", "n3"]
    assert [segment["witnessed"] for segment in first["segments"]] == [3]
    assert [len(piece["rows"]) for piece in pieces] == [ROWS_PER_MESSAGE, ROWS_PER_MESSAGE, 1]
    assert last == {"end": True}


def test_the_whole_is_of_the_moment_when_it_was_asked_for() -> None:
    told = Told()
    whole = told.model.whole()
    told.world.vips.clear()
    told.update()
    assert len(parsed([*whole][1])["rows"]) == 3


def test_nothing_is_told_where_nothing_is_new() -> None:
    told = Told()
    assert told.update() == {}


def test_only_rows_that_differ_are_told() -> None:
    told = Told()
    told.world.put(owned(1, "n3"), replace(told.world.vips["u2"]))  # the second one is the same
    news = told.update()
    assert [(row["address"], row["owner"]) for row in news["rows"]] == [("10.1.1.1", "n3")]
    assert news.keys() == {"rows"}


def test_a_deleted_object_is_told_by_its_id() -> None:
    told = Told()
    del told.world.vips["u1"]
    assert told.update() == {"lostRows": ["DuraVIP default/v1"]}
    assert len(told.whole()[1]["rows"]) == 2


def test_an_object_that_was_made_again_is_not_lost() -> None:
    told = Told()
    del told.world.vips["u1"]
    again = replace(owned(1, "n3"), uid="another")
    told.world.put(again)
    news = told.update()
    assert "lostRows" not in news
    assert [row["owner"] for row in news["rows"]] == ["n3"]


def test_a_silent_node_is_told_at_once_and_nothing_else() -> None:
    told = Told()
    told.world.silence("n2")
    news = told.update()
    assert [(node["name"], node["state"]) for node in news["nodes"]] == [("n2", "silent")]
    assert news["segments"][0]["nodes"] == 2
    assert "rows" not in news


def test_a_node_that_is_gone_is_told() -> None:
    told = Told()
    del told.world.plumbings["n3"]
    assert told.update()["lostNodes"] == ["n3"]


def test_rows_follow_what_the_agent_of_their_owner_reports() -> None:
    told = Told()
    smtp = frozenset({("TCP/25", "smtp")})
    told.world.put(replace(owned(0, "n1"), services=smtp), replace(owned(1, "n2"), services=smtp))
    told.update()
    listening = parse_listeners(["TCP/25 0.0.0.0"])
    told.world.plumbings["n1"] = replace(told.world.plumbings["n1"], listening=listening)
    assert [row["listens"] for row in told.update()["rows"]] == [[["smtp", "TCP/25", True]]]
    told.world.plumbings["n1"] = replace(told.world.plumbings["n1"], resource_version="9")
    assert told.update() == {}


def test_moves_are_told_once_and_kept_when_the_status_tells_of_a_later_one() -> None:
    told = Told()
    first, then = moved(1, "n1", "n2"), moved(1, "n2", "n3", "2026-11-30T10:00:05.000000Z")
    told.world.put(first)
    assert [move["to"] for move in told.update()["moves"]] == ["n2"]
    told.world.put(then)
    told.world.tape.record(then)
    assert [move["to"] for move in told.update()["moves"]] == ["n3"]
    assert [move["to"] for move in told.whole()[0]["moves"]] == ["n3", "n2"]


def test_a_segment_whose_status_alone_is_new_is_told() -> None:
    told = Told()
    (topology,) = told.world.topologies
    counted = replace(topology, status={"addresses": 3})
    told.world.topologies = (counted,)
    assert [segment["addresses"] for segment in told.update()["segments"]] == [3]


def test_a_segment_that_is_gone_is_told() -> None:
    told = Told()
    told.world.topologies = ()
    assert told.update() == {"lostSegments": ["lan"]}


def test_a_node_without_an_agent_is_a_column_too() -> None:
    told = Told()
    facts = told.world.facts()
    facts = facts._replace(nodes={**facts.nodes, "n4": Node("n4")})
    (column,) = parsed(told.model.update_overview(facts))["nodes"]
    assert column == {"name": "n4", "state": "unheard"}
