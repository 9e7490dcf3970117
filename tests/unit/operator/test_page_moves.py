"""The tape of the last moves: what statuses tell, and what they told before."""

from dataclasses import replace

from duravip_operator.page.moves import TAPE_LENGTH, MoveTape, last_move, latest
from unit.operator.page_world import moved, owned


def at(second: int) -> str:
    return f"2026-11-30T10:{second // 60:02}:{second % 60:02}.000000Z"


def test_a_move_is_what_the_status_tells() -> None:
    move = last_move(moved(1, "n1", "n2", at(5)))
    assert move is not None
    assert move.as_json() == {
        "time": at(5),
        "address": "10.1.1.1",
        "id": "DuraVIP default/v1",
        "from": "n1",
        "to": "n2",
        "reason": "NodeLost",
        "gap": 180,
    }
    assert last_move(owned(1)) is None


def test_after_an_edit_the_move_is_still_of_the_former_address() -> None:
    vip = moved(1, "n1", "n2")
    edited = replace(vip, address="10.1.1.9", status={**vip.status, "address": "10.1.1.1"})
    move = last_move(edited)
    assert move is not None
    assert move.address == "10.1.1.1"


def test_a_first_owner_came_from_nobody_and_its_gap_is_not_known() -> None:
    first = {"to": "n1", "reason": "Elected", "time": at(0)}
    move = last_move(owned(1, lastMove=first))
    assert move is not None
    assert "from" not in move.as_json()
    assert "gap" not in move.as_json()


def test_the_tape_remembers_an_address_that_moved_twice() -> None:
    tape = MoveTape()
    tape.record(moved(1, "n1", "n2", at(1)))
    tape.record(moved(1, "n2", "n1", at(2)))
    assert [move.owner for move in latest(tape.recent())] == ["n1", "n2"]


def test_the_tape_has_the_latest_moves_each_once_in_order() -> None:
    moves = [last_move(moved(n % 200, "n1", "n2", at(n))) for n in range(300)]
    known = [move for move in moves if move]
    tape = latest([*known, *known])
    assert len(tape) == TAPE_LENGTH
    assert [move.time for move in tape] == [at(n) for n in range(299, 99, -1)]


def test_what_is_remembered_is_bounded() -> None:
    tape = MoveTape()
    for n in range(1000):
        tape.record(moved(1, "n1", "n2", at(n)))
    assert len(tape.recent()) == TAPE_LENGTH
