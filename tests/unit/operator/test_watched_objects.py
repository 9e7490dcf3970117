"""What becomes of what a watch and the answers to our own writes tell."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from duravip_operator.watch import watched_objects
from duravip_operator.watch.watched_objects import WatchedObjects

Body = dict[str, Any]


class FakeInformer:
    """Reports what a test wants."""

    def __init__(
        self, _what: str, _list: Any, seen: Any, deleted: Any, *, on_listed: Any, **_: Any
    ) -> None:
        self.seen, self.deleted, self.listed = seen, deleted, on_listed
        self.is_running = False

    def start(self) -> None:
        self.is_running = True

    def end(self) -> None:
        self.is_running = False


class Play:
    """Objects whose value is their colour."""

    def __init__(self, informers: list[FakeInformer]) -> None:
        self.changes = 0
        self.informers = informers
        self.objects: WatchedObjects[str] = WatchedObjects(
            "Thing", lambda: None, lambda body: str(body["spec"]["colour"]), self.changed
        )
        self.objects.start()

    def changed(self) -> None:
        self.changes += 1

    async def told(self, report: Callable[[], None]) -> int:
        """How many changes there were to tell after this report."""
        self.changes = 0
        report()
        await asyncio.sleep(0)
        return self.changes


@pytest.fixture
def informers(monkeypatch: pytest.MonkeyPatch) -> list[FakeInformer]:
    """All that were made, the running one last."""
    made: list[FakeInformer] = []

    def make(*args: Any, **options: Any) -> FakeInformer:
        made.append(FakeInformer(*args, **options))
        return made[-1]

    monkeypatch.setattr(watched_objects, "Informer", make)
    return made


def body(name: str, colour: str, version: int, uid: str = "") -> Body:
    meta = {"namespace": "d", "name": name, "uid": uid or name, "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"colour": colour}}


def played(informers: list[FakeInformer], act: Callable[[Play], Awaitable[None]]) -> None:
    async def run() -> None:
        await act(Play(informers))

    asyncio.run(run())


def test_a_list_replaces_what_is_known(informers: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        (only,) = informers
        assert not play.objects.has_synced
        assert await play.told(lambda: only.listed([])) == 1, "that there is none is news at first"
        assert play.objects.has_synced
        await play.told(lambda: only.seen(body("a", "red", 1)))
        await play.told(lambda: only.seen(body("b", "blue", 2)))
        assert await play.told(lambda: only.listed([body("b", "green", 3)])) == 1
        assert play.objects.values == {"d/b": "green"}
        assert await play.told(lambda: only.listed([body("b", "green", 4)])) == 0

    played(informers, act)


def test_each_change_counts_once_and_what_is_equal_is_no_news(
    informers: list[FakeInformer],
) -> None:
    async def act(play: Play) -> None:
        (only,) = informers
        await play.told(lambda: only.listed([body("a", "red", 1)]))
        assert await play.told(lambda: only.seen(body("a", "red", 2))) == 0
        assert await play.told(lambda: only.seen(body("a", "blue", 3))) == 1
        assert await play.told(lambda: only.deleted(body("a", "blue", 4))) == 1
        assert play.objects.values == {}

    played(informers, act)


def test_an_answer_to_our_write_counts_for_what_is_known(informers: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        (only,) = informers
        await play.told(lambda: only.listed([body("a", "red", 1)]))
        assert await play.told(lambda: play.objects.put(body("a", "blue", 5))) == 1
        assert await play.told(lambda: only.seen(body("a", "red", 4))) == 0, "it is older"
        assert play.objects.values == {"d/a": "blue"}
        await play.told(lambda: only.deleted(body("a", "blue", 6)))
        assert await play.told(lambda: play.objects.put(body("a", "green", 7))) == 0
        assert play.objects.values == {}

    played(informers, act)


def test_an_object_of_the_same_name_is_another_one(informers: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        (only,) = informers
        await play.told(lambda: only.listed([body("a", "red", 9)]))
        await play.told(lambda: only.seen(body("a", "blue", 3, uid="second")))
        assert play.objects.values == {"d/a": "blue"}
        assert await play.told(lambda: only.deleted(body("a", "red", 10))) == 0
        assert await play.told(lambda: play.objects.put(body("a", "red", 11))) == 0
        assert play.objects.values == {"d/a": "blue"}

    played(informers, act)


def test_after_a_restoration_the_list_is_right_however_old(informers: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        await play.told(lambda: informers[0].listed([body("a", "red", 50)]))
        play.objects.restart()
        assert not play.objects.has_synced
        assert not informers[0].is_running
        assert play.objects.values == {"d/a": "red"}, "it stays until the list has come"
        assert await play.told(lambda: informers[0].seen(body("a", "grey", 60))) == 0
        assert await play.told(lambda: informers[1].listed([body("a", "blue", 7)])) == 1
        assert play.objects.values == {"d/a": "blue"}

    played(informers, act)


def test_an_object_that_is_listed_and_then_told_stays_as_it_is(
    informers: list[FakeInformer],
) -> None:
    async def act(play: Play) -> None:
        (only,) = informers
        listed = [body("a", "red", 1)]
        await play.told(lambda: only.listed(listed))
        assert await play.told(lambda: only.seen(listed[0])) == 0, "as the library does"
        assert play.objects.values == {"d/a": "red"}

    played(informers, act)


def test_what_the_library_keeps_is_small(informers: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        told = body("a", "red", 1)
        told["metadata"]["managedFields"] = [{"manager": "kubectl"}]
        await play.told(lambda: informers[0].seen(told))
        assert told == {
            "metadata": {"namespace": "d", "name": "a", "uid": "a", "resourceVersion": "1"}
        }
        assert play.objects.values == {"d/a": "red"}

    played(informers, act)
