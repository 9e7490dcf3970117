"""The loop: in which order things are written, and which mail is looked at again."""

import json
import logging
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from duravip_mail.bindings import BindingsFile
from duravip_mail.core.postfix_config import MailNode
from duravip_mail.core.retries import GRACE_S
from duravip_mail.core.routes import Table
from duravip_mail.loop import HEALTHY_S, LOOK_EVERY_S, Loop, configure
from duravip_mail.maillog import MailLog
from duravip_mail.metrics import Metrics
from duravip_mail.postfix import PostfixError
from duravip_mail.spool import QueuedMessage

FOO, BAR = "10.1.1.1", "10.1.1.2"
NODE = MailNode("n1", ("10.1.0.11",), "/mail", "/tls")
NONE: frozenset[str] = frozenset()
REFUSED = (
    "Nov 30 10:00:00 n1 duravip/foo/smtp[1]: warning: smtp_connect_addr: "
    "bind 10.1.1.1: Cannot assign requested address\n"
)
MOVED = (
    "Nov 30 10:00:00 n1 duravip-mmove/smtp[1]: A1: to=<a@x.example>, "
    "relay=10.1.1.2[10.1.1.2]:2526, delay=0.5, delays=0/0/0/0, dsn=2.0.0, "
    "status=sent (250 2.0.0 Ok: queued as B1)\n"
)


class FakePostfix:
    """Keeps what it was told, in order."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.tables: dict[str, Table] = {}
        self.done: list[tuple[str, Any]] = []
        self.fault: Exception | None = None

    def prepare(self) -> None:
        self.done.append(("prepare", ""))

    def check(self) -> None:
        self.done.append(("check", self.files["master.cf"]))

    def write_config(self, name: str, text: str) -> bool:
        is_new = self.files.get(name) != text
        self.files[name] = text
        return is_new

    def has_table(self, name: str) -> bool:
        return name in self.tables

    def rows_of(self, name: str) -> Collection[str]:
        return tuple(self.tables.get(name, ()))

    def write_table(self, name: str, table: Table) -> bool:
        if self.fault:
            raise self.fault
        if self.tables.get(name) == table:
            return False
        self.tables[name] = table
        self.done.append(("table", name))
        return True

    def reload(self) -> None:
        self.done.append(("reload", ""))

    def requeue(self, queue_ids: Iterable[str]) -> None:
        self.done.append(("requeue", sorted(queue_ids)))

    def retry(self, messages: Iterable[QueuedMessage]) -> None:
        self.done.append(("retry", sorted(m.queue_id for m in messages)))

    def forget_failures(self) -> None:
        self.done.append(("forget", ""))

    def take(self) -> list[tuple[str, Any]]:
        done, self.done = self.done, []
        return done


class Queue:
    """What is queued, and who answers elsewhere."""

    def __init__(self) -> None:
        self.queued: list[QueuedMessage] = []
        self.there: set[str] = set()
        self.wanted: set[str] = set()

    def messages(self) -> list[QueuedMessage]:
        return self.queued

    def answering(self, wanted: Iterable[str]) -> frozenset[str]:
        self.wanted = set(wanted)
        return frozenset(self.there & self.wanted)

    def put(self, queue_id: str, route: str, queue: str = "deferred") -> None:
        self.queued.append(QueuedMessage(queue_id, queue, route, Path("/nowhere")))


class Sidecar:
    """A loop with everything around it; the test is its clock."""

    def __init__(self, folder: Path) -> None:
        self.postfix, self.queue, self.metrics = FakePostfix(), Queue(), Metrics("test")
        self.file, self.log = folder / "bindings.json", folder / "maillog"
        self.log.touch()
        self.maillog = MailLog(self.log)
        self.now = 1000.0
        self.write({"name": "foo", "address": FOO}, {"name": "bar", "address": BAR})
        parts: dict[str, Any] = {
            "node": NODE, "postfix": self.postfix, "bindings": BindingsFile(self.file),
            "spool": self.queue, "maillog": self.maillog, "reach": self.queue,
            "metrics": self.metrics, "key": b"k", "clock": lambda: self.now,
        }  # fmt: skip
        self.loop = Loop(**parts)

    def write(self, *entries: Any) -> None:
        """The file of the Bindings is another one from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(entries))
        new.replace(self.file)

    def serve(self, *addresses: str, came: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
        """The agent says so; what followed."""
        self.loop.put_served(frozenset(addresses), frozenset(came))
        return self.turn()

    def turn(self, after: float = 0.0) -> list[tuple[str, Any]]:
        """What is done so many seconds later."""
        self.now += after
        assert self.loop.turn(0)
        return self.postfix.take()

    def add_to_log(self, lines: str) -> None:
        """Postfix logs this."""
        with self.log.open("a") as file:
            file.write(lines)

    def counted(self, name: str) -> str:
        """Every sample of a metric, as Prometheus sees it."""
        text = generate_latest(self.metrics.registry).decode()
        return "\n".join(line for line in text.splitlines() if line.startswith(name))


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    made = Sidecar(tmp_path)
    yield made
    made.maillog.close()


def test_nothing_is_written_before_the_agent_was_heard(sidecar: Sidecar) -> None:
    assert sidecar.turn(100) == []
    assert sidecar.loop.readyz() == "the agent has not been heard yet"


def test_what_others_may_hand_over_is_written_before_what_is_handed_over(
    sidecar: Sidecar,
) -> None:
    assert sidecar.serve(FOO) == [
        ("reload", ""), ("table", "accepted"), ("table", "routes"), ("table", "assigned"),
    ]  # fmt: skip
    assert sidecar.postfix.tables["routes"] == {
        "foo": "FILTER b-foo:", "bar": f"FILTER mmove:[{BAR}]:2526",
    }  # fmt: skip
    assert sidecar.turn() == []


def test_it_is_ready_when_the_tables_are_true_and_the_agent_is_followed(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    assert sidecar.loop.readyz() == "the agent cannot be followed"
    sidecar.loop.put_connected(True)  # noqa: FBT003
    assert sidecar.loop.readyz() == ""


def test_a_new_binding_is_a_transport_before_a_route_leads_to_it(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    sidecar.write({"name": "foo", "address": FOO}, {"name": "new", "address": FOO})
    done = sidecar.turn()
    assert done[0] == ("reload", "")
    assert "b-new unix" in sidecar.postfix.files["master.cf"]
    assert sidecar.loop.current_world().by_name().keys() == {"foo", "new"}


def test_mail_whose_route_is_no_longer_true_is_looked_at_again(sidecar: Sidecar) -> None:
    sidecar.queue.put("OURS", "b-foo:")
    sidecar.queue.put("THEIRS", f"mmove:[{BAR}]:2526")
    sidecar.queue.put("PLAIN", "")
    sidecar.serve(FOO)
    assert ("table", "routes") in sidecar.serve()
    assert sidecar.turn(GRACE_S) == [("requeue", ["OURS"])]


def test_an_address_that_is_back_within_a_moment_costs_no_look_at_its_mail(
    sidecar: Sidecar,
) -> None:
    sidecar.queue.put("OURS", "b-foo:")
    sidecar.serve(FOO)
    assert "requeue" not in dict(sidecar.serve())
    assert "requeue" not in dict(sidecar.serve(FOO, came=(FOO,)))
    assert "requeue" not in dict(sidecar.turn(GRACE_S))
    assert "requeue" not in dict(sidecar.serve())
    assert ("requeue", ["OURS"]) in sidecar.turn(GRACE_S), "the time counts from the last loss"


def test_mail_for_an_address_that_is_here_now_is_looked_at_at_once(sidecar: Sidecar) -> None:
    sidecar.queue.put("A", f"mmove:[{FOO}]:2526")
    sidecar.serve()
    assert ("requeue", ["A"]) in sidecar.serve(FOO)


def test_mail_that_is_active_or_held_stays_as_it_is(sidecar: Sidecar) -> None:
    sidecar.queue.put("A", "b-foo:", "active")
    sidecar.queue.put("H", "b-foo:", "hold")
    sidecar.serve(FOO)
    assert "requeue" not in dict(sidecar.serve())


def test_the_queue_is_looked_at_although_nothing_has_changed(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    sidecar.queue.put("OLD", "b-gone:")
    assert sidecar.turn() == []
    assert sidecar.turn(LOOK_EVERY_S) == [("requeue", ["OLD"])]


def test_mail_of_an_address_that_comes_is_tried_at_once_and_later(sidecar: Sidecar) -> None:
    sidecar.serve()
    sidecar.queue.put("A", "b-foo:")
    done = sidecar.serve(FOO, came=(FOO,))
    assert done[-2:] == [("forget", ""), ("retry", ["A"])]
    assert ("retry", ["A"]) in sidecar.turn(5)
    assert "retry" not in dict(sidecar.turn(LOOK_EVERY_S))


def test_an_address_that_went_and_came_between_two_looks_has_come(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    sidecar.queue.put("A", "b-foo:")
    assert sidecar.serve(FOO, came=(FOO,)) == [("forget", ""), ("retry", ["A"])]


def test_mail_for_another_node_is_tried_when_somebody_answers_there(sidecar: Sidecar) -> None:
    sidecar.queue.put("A", f"mmove:[{BAR}]:2526")
    assert "retry" not in dict(sidecar.serve(FOO))
    assert sidecar.queue.wanted == {BAR}
    sidecar.queue.there = {BAR}
    assert sidecar.turn(LOOK_EVERY_S) == [("retry", ["A"])]
    assert sidecar.turn(LOOK_EVERY_S) == [], "whoever answered has taken nothing"
    sidecar.add_to_log(MOVED)
    sidecar.turn()
    assert sidecar.turn(LOOK_EVERY_S) == [("retry", ["A"])], "now something was taken there"


def test_mail_of_an_unknown_binding_is_looked_at_again_once_there_are_new_names(
    sidecar: Sidecar,
) -> None:
    sidecar.serve(FOO)
    for _ in range(10):
        sidecar.turn(1000)
    sidecar.queue.put("A", "retry:4.3.0 no such binding")
    assert sidecar.turn(LOOK_EVERY_S) == []
    sidecar.write({"name": "foo", "address": FOO, "aliases": ["former"]})
    assert ("requeue", ["A"]) in sidecar.turn()


def test_without_postfix_it_goes_on_and_says_so_once(
    sidecar: Sidecar, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar.postfix.fault = PostfixError("postmap is away")
    with caplog.at_level(logging.WARNING):
        sidecar.serve(FOO)
        sidecar.turn(LOOK_EVERY_S)
    assert [record.message for record in caplog.records] == ["trying again: postmap is away"]
    assert sidecar.loop.readyz() == "postmap is away"
    sidecar.postfix.fault = None
    assert ("table", "routes") in sidecar.turn(LOOK_EVERY_S)
    sidecar.loop.put_connected(True)  # noqa: FBT003
    assert sidecar.loop.readyz() == ""


def test_what_postfix_logs_is_counted(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    sidecar.add_to_log(REFUSED + MOVED)
    sidecar.turn()
    assert sidecar.counted("duravip_mail_bind_refused_total") == (
        'duravip_mail_bind_refused_total{binding="foo"} 1.0'
    )
    assert sidecar.counted("duravip_mail_mmove_total") == (
        'duravip_mail_mmove_total{binding="bar",direction="out",result="sent"} 1.0'
    )


def test_the_queue_is_counted_by_binding_and_what_is_gone_is_no_sample(sidecar: Sidecar) -> None:
    sidecar.queue.put("A", "b-foo:")
    sidecar.queue.put("B", "")
    sidecar.serve(FOO)
    assert set(sidecar.counted("duravip_mail_queued").splitlines()) == {
        'duravip_mail_queued{binding="default",state="deferred"} 1.0',
        'duravip_mail_queued{binding="foo",state="deferred"} 1.0',
    }
    sidecar.queue.queued.clear()
    sidecar.turn(LOOK_EVERY_S)
    assert sidecar.counted("duravip_mail_queued{") == ""


def test_a_loop_that_hangs_is_not_healthy(sidecar: Sidecar) -> None:
    sidecar.serve(FOO)
    assert sidecar.loop.healthz() == ""
    sidecar.now += HEALTHY_S + 1
    assert sidecar.loop.healthz().startswith("the loop has not come round for")


def test_it_ends_when_it_is_told_to(sidecar: Sidecar) -> None:
    sidecar.loop.stop()
    assert not sidecar.loop.turn(0)


def test_configure_leaves_the_tables_that_are_there() -> None:
    postfix: Any = FakePostfix()
    postfix.tables["routes"] = {"known": "FILTER b-known:"}
    configure(postfix, NODE, (), b"k")
    assert postfix.tables == {
        "routes": {"known": "FILTER b-known:"}, "accepted": {}, "assigned": {},
    }  # fmt: skip


def test_postfix_checks_the_configuration_without_bindings() -> None:
    postfix: Any = FakePostfix()
    bindings = BindingsFile(Path("/nowhere/at/all")).read()
    configure(postfix, NODE, bindings, b"k")
    assert postfix.done[0] == ("prepare", "")
    assert ("check", postfix.files["master.cf"]) in postfix.done
