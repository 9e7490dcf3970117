"""Which EndpointSlices are watched, and what becomes of what watches report."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from duravip_operator.settings import Settings
from duravip_operator.watch import endpoint_slices
from duravip_operator.watch.endpoint_slices import MAX_NAMES, EndpointSlices


class FakeInformer:
    """Reports what a test wants."""

    running: list["FakeInformer"]

    def __init__(
        self, _what: str, method: Any, seen: Any, deleted: Any, *, on_listed: Any, **_: Any
    ) -> None:
        self.selector = str(method.keywords["label_selector"])
        self.seen, self.deleted, self.listed = seen, deleted, on_listed

    def start(self) -> None:
        self.running.append(self)

    def end(self) -> None:
        self.running.remove(self)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[FakeInformer]:
    """The informers that run."""
    FakeInformer.running = []
    monkeypatch.setattr(endpoint_slices, "Informer", FakeInformer)
    monkeypatch.setattr(endpoint_slices, "client_for", lambda *_: None)
    return FakeInformer.running


class Play:
    """One EndpointSlices, in a loop that runs while a test looks."""

    def __init__(self, settings: Settings) -> None:
        self.now, self.changes = 100.0, 0
        self.slices = EndpointSlices(settings, self.changed, lambda: self.now)

    def changed(self) -> None:
        self.changes += 1

    async def reported(self, report: Callable[[], None]) -> int:
        """How many changes there were to tell after this report."""
        self.changes = 0
        report()
        await asyncio.sleep(0)
        return self.changes


def body(name: str, *nodes: str, service: str = "web", namespace: str = "d") -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service}
    endpoints = [{"nodeName": node} for node in nodes]
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"metadata": meta, "endpoints": endpoints}


def played(folder: Path, act: Callable[[Play], Any]) -> None:
    key = folder / "key"
    key.write_text("a" * 64)

    async def run() -> None:
        settings = Settings(identity="one", pulse_advertise="10.0.0.1:7946", pulse_key_file=key)
        await act(Play(settings))

    asyncio.run(run())


def test_with_no_service_named_nothing_is_watched(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        assert not play.slices.has_synced
        play.slices.follow(frozenset())
        assert play.slices.has_synced
        assert running == []

    played(tmp_path, act)


def test_it_is_warm_once_the_named_services_are_listed(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web", "e/web", "d/mail"}))
        (only,) = running
        assert only.selector == "kubernetes.io/service-name in (mail,web)"
        assert play.slices.table().unread == {"d/web", "e/web", "d/mail"}
        assert not play.slices.has_synced
        found = [body("a", "n1"), body("b", "n2"), body("c", "n3", namespace="other")]
        assert await play.reported(lambda: only.listed(found)) == 1
        assert play.slices.has_synced
        assert play.slices.table().unread == frozenset()
        assert {name: set(e.ready) for name, e in play.slices.services.items()} == {
            "d/web": {"n1", "n2"}
        }

    played(tmp_path, act)


def test_each_change_is_told_once(tmp_path: Path, running: list[FakeInformer]) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        await play.reported(lambda: running[0].listed([body("a", "n1")]))
        before = play.slices.services["d/web"]
        assert await play.reported(lambda: running[0].seen(body("a", "n1"))) == 0
        assert play.slices.services["d/web"] is before
        assert await play.reported(lambda: running[0].seen(body("b", "n2"))) == 1
        assert play.slices.services["d/web"].ready == {"n1", "n2"}
        assert await play.reported(lambda: running[0].deleted(body("a"))) == 1
        assert play.slices.services["d/web"].ready == {"n2"}
        assert await play.reported(lambda: running[0].deleted(body("b"))) == 1
        assert play.slices.services == {}

    played(tmp_path, act)


def test_a_new_service_begins_the_watch_anew_and_what_is_known_stays(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        (first,) = running
        await play.reported(lambda: first.listed([body("a", "n1")]))
        play.slices.follow(frozenset({"d/web", "d/mail"}))
        assert running == [first]  # not yet: it has just begun
        play.now += 1.0
        play.slices.follow(frozenset({"d/web", "d/mail"}))
        (second,) = running
        assert second.selector.endswith("(mail,web)")
        assert play.slices.services["d/web"].ready == {"n1"}
        assert await play.reported(lambda: first.seen(body("a", "n9"))) == 0
        mail = body("m", "n2", service="mail")
        assert await play.reported(lambda: second.listed([mail])) == 1
        assert play.slices.services.keys() == {"d/mail"}

    played(tmp_path, act)


def test_a_service_that_nobody_names_any_more_is_forgotten(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        await play.reported(lambda: running[0].listed([body("a", "n1")]))
        play.now += 5.0
        play.slices.follow(frozenset())
        assert (play.slices.services, running) == ({}, [])

    played(tmp_path, act)


def test_a_service_that_is_named_again_soon_is_known_as_it_is_now(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        (only,) = running
        await play.reported(lambda: only.listed([body("a", "n1")]))
        play.now += 0.5
        play.slices.follow(frozenset())  # its object is deleted, and made again
        assert running == [only]  # it has just begun
        await play.reported(lambda: only.seen(body("a", "n2")))
        play.slices.follow(frozenset({"d/web"}))
        assert play.slices.table().unread == frozenset()
        assert play.slices.services["d/web"].ready == {"n2"}
        play.now += 5.0
        play.slices.follow(frozenset())
        assert (play.slices.services, running) == ({}, [])

    played(tmp_path, act)


def test_a_list_that_does_not_come_is_waited_for_a_second(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        play.now += 0.9
        assert play.slices.table().unread == {"d/web"}
        play.now += 0.2
        assert play.slices.table().unread == frozenset()
        assert len(running) == 1

    played(tmp_path, act)


def test_a_service_whose_watch_has_to_wait_is_not_unknown_meanwhile(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        await play.reported(lambda: running[0].listed([]))
        play.now += 0.9
        play.slices.follow(frozenset({"d/web", "d/mail"}))
        play.now += 0.1
        assert play.slices.table().unread == {"d/mail"}
        play.slices.follow(frozenset({"d/web", "d/mail"}))
        play.now += 0.9
        assert play.slices.table().unread == {"d/mail", "d/web"}, "of neither anything is known"
        play.now += 0.2
        assert play.slices.table().unread == frozenset()

    played(tmp_path, act)


def test_many_services_are_shared_out_among_watches(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset(f"d/s{n:04}" for n in range(MAX_NAMES + 1)))
        assert [len(one.selector.split(",")) for one in running] == [MAX_NAMES, 1]
        await play.reported(lambda: running[0].listed([]))
        assert not play.slices.has_synced
        await play.reported(lambda: running[1].listed([]))
        assert play.slices.has_synced

    played(tmp_path, act)


def test_after_a_restoration_everything_is_listed_again(
    tmp_path: Path, running: list[FakeInformer]
) -> None:
    async def act(play: Play) -> None:
        play.slices.follow(frozenset({"d/web"}))
        (first,) = running
        play.slices.restart()
        assert running != [first]
        assert len(running) == 1

    played(tmp_path, act)
