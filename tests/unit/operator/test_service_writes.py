"""Which of the writes that Services need may begin, and in which order."""

from collections.abc import Mapping
from typing import Any

import pytest

from duravip_operator.kube.service_writes import (
    EVERY_S,
    FIRST_PAUSE_S,
    MAX_IN_FLIGHT,
    MAX_PAUSE_S,
    UNSEEN_FOR_S,
    ObjectWrite,
    ServiceWrites,
    Target,
    in_order,
)

A: Target = ("DuraVIP", "shop/a")
STATUS: Target = ("Service", "shop/a")


class Play(ServiceWrites):
    """The writes, at a time that moves on as a test wants."""

    now = 100.0

    def asked(self, **writes: ObjectWrite) -> None:
        self.want({("DuraVIP", f"shop/{name}"): write for name, write in writes.items()}, self.now)

    def begun(self) -> list[str]:
        """The names of all that may begin now, at the pace of writes."""
        names = []
        while found := self.take(self.now):
            names.append(found[0][1].partition("/")[2])
            self.now += EVERY_S
        return names

    def ended(self, name: str, **options: bool) -> None:
        self.done(("DuraVIP", f"shop/{name}"), **options)


def creation(address: str) -> ObjectWrite:
    return ObjectWrite("create", {"spec": {"address": address}})


@pytest.fixture
def play() -> Play:
    return Play()


def nowhere(_: str, __: Mapping[str, Any]) -> bool:
    return False


def test_what_frees_an_address_comes_first_and_what_tells_of_it_last() -> None:
    writes = in_order({"shop/old": "u1"}, {"shop/a": creation("1")}, {"shop/a": creation("2")})
    assert list(writes) == [("DuraVIP", "shop/old"), A, STATUS]
    assert writes["DuraVIP", "shop/old"] == ObjectWrite("delete", {}, "u1")


def test_an_address_that_is_there_is_published_before_others_are_given() -> None:
    published = ObjectWrite("status", {"status": {"loadBalancer": {"ingress": []}}}, "u1")
    told = ObjectWrite("status", {"status": {"conditions": []}}, "u2")
    writes = in_order({}, {"shop/a": creation("1")}, {"shop/x": told, "shop/y": published})
    assert list(writes.items()) == [
        (("Service", "shop/y"), published),
        (A, creation("1")),
        (("Service", "shop/x"), told),
    ]


def test_only_some_are_under_way_and_the_next_begins_when_one_ends(play: Play) -> None:
    names = [f"w{n}" for n in range(MAX_IN_FLIGHT + 2)]
    play.asked(**{name: creation(name) for name in names})
    assert play.begun() == names[:MAX_IN_FLIGHT]
    assert play.next_due() is None
    play.ended("w1")
    assert play.begun() == [names[MAX_IN_FLIGHT]]


def test_they_begin_at_a_pace(play: Play) -> None:
    play.asked(a=creation("1"), b=creation("2"))
    assert play.take(play.now)
    assert play.take(play.now + EVERY_S / 2) is None
    assert play.next_due() == play.now + EVERY_S
    assert play.take(play.now + EVERY_S)


def test_what_is_not_wanted_any_more_is_dropped(play: Play) -> None:
    play.asked(a=creation("1"), b=creation("2"))
    play.asked(b=creation("2"))
    assert play.begun() == ["b"]
    play.ended("b")
    play.asked()
    assert not play


def test_while_the_next_set_is_worked_out_nothing_begins_and_nothing_is_forgotten(
    play: Play,
) -> None:
    play.asked(a=creation("1"), b=creation("2"))
    assert play.take(play.now)
    play.hold()
    play.now += 1
    assert play.begun() == []
    assert play.unseen(nowhere, play.now) == {"shop/a": creation("1")}
    play.ended("a")
    play.asked(a=creation("1"), b=creation("2"))
    assert play.begun() == ["a", "b"]
    play.ended("a")
    play.hold()
    play.now += 0.01
    play.asked(a=creation("1"))
    due = play.next_due()
    assert due
    assert due - play.now > FIRST_PAUSE_S, "it was made twice"


def test_one_object_has_one_write_at_a_time_and_the_last_wish_wins(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.asked(a=creation("2"))
    play.asked(a=creation("3"))
    assert play.begun() == []
    play.ended("a")
    found = play.take(play.now)
    assert found == (A, creation("3"))


def test_the_write_that_is_under_way_is_not_made_again(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.asked(a=creation("1"))
    play.ended("a")
    assert play.begun() == []
    assert not play


def test_the_same_write_waits_for_twice_as_long_each_time(play: Play) -> None:
    pauses = []
    for _ in range(12):
        play.asked(a=creation("1"))
        due = play.next_due()
        assert due is not None
        pauses.append(due - play.now)
        play.now = max(play.now, due)
        began = play.now
        assert play.begun() == ["a"]
        play.ended("a")
        play.now = began
    assert pauses[0] <= 0
    assert pauses[1:4] == pytest.approx([FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S])
    assert pauses[-1] == MAX_PAUSE_S


def test_another_write_of_the_object_need_not_wait(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.ended("a")
    play.asked(a=creation("2"))
    assert play.begun() == ["a"]


def test_what_was_sent_counts_until_it_is_seen(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.unseen(nowhere, play.now) == {}
    assert play.begun() == ["a"]
    assert play.unseen(lambda *_: True, play.now) == {"shop/a": creation("1")}, "it is under way"
    play.ended("a")
    assert play.unseen(nowhere, play.now) == {"shop/a": creation("1")}
    assert play.unseen(lambda name, _: name == A[1], play.now) == {}


def test_what_was_never_answered_counts_until_it_cannot_come_any_more(play: Play) -> None:
    play.asked(a=creation("1"))
    began = play.now
    assert play.begun() == ["a"]
    play.ended("a")
    play.clear()
    assert play.unseen(nowhere, began + UNSEEN_FOR_S - 1) == {"shop/a": creation("1")}
    assert play.unseen(nowhere, began + UNSEEN_FOR_S) == {}


def test_what_was_refused_counts_no_longer(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.ended("a", is_refused=True)
    assert play.unseen(nowhere, play.now) == {}


def test_only_what_was_sent_of_a_duravip_counts_as_unseen(play: Play) -> None:
    play.want({STATUS: ObjectWrite("status", {}), A: ObjectWrite("delete", {}, "u1")}, play.now)
    play.begun()
    assert play.unseen(nowhere, play.now) == {}


def test_in_another_leadership_nothing_waits_and_nothing_is_late(play: Play) -> None:
    play.asked(a=creation("1"), b=creation("2"))
    assert play.take(play.now)
    play.ended("a")
    play.clear()
    assert not play
    play.now += EVERY_S
    play.asked(a=creation("1"))
    assert play.begun() == ["a"], "it was another leader that has sent it before"


def test_what_was_not_wanted_for_long_need_not_wait_and_for_a_moment_it_must(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.ended("a")
    play.asked()
    play.now += FIRST_PAUSE_S / 2
    play.asked(a=creation("1"))
    assert play.begun() == []
    play.asked()
    play.now += FIRST_PAUSE_S
    play.asked()
    for pause in (0.0, FIRST_PAUSE_S):
        play.asked(a=creation("1"))
        due = play.next_due()
        assert due is not None
        assert max(0.0, due - play.now) == pytest.approx(pause), "it begins with the first pause"
        play.now = max(play.now, due)
        began = play.now
        assert play.begun() == ["a"]
        play.ended("a")
        play.now = began


def test_a_write_that_differs_from_the_last_one_begins_with_the_first_pause(play: Play) -> None:
    for address in ("1", "2"):
        play.asked(a=creation(address))
        assert play.begun() == ["a"]
        play.ended("a")
    began = play.now - EVERY_S
    play.asked(a=creation("2"))
    assert play.next_due() == pytest.approx(began + FIRST_PAUSE_S)


def test_how_many_are_left_is_known_while_some_are_under_way(play: Play) -> None:
    play.asked(a=creation("1"), b=creation("2"))
    assert play.take(play.now)
    assert len(play) == 2
    assert play.next_due() == play.now + EVERY_S
    play.asked()
    assert len(play) == 1
    assert play.next_due() is None, "nothing waits"


def test_while_the_object_is_written_the_end_of_that_is_waited_for(play: Play) -> None:
    play.asked(a=creation("1"))
    assert play.begun() == ["a"]
    play.asked(a=creation("2"))
    assert play.next_due() is None
