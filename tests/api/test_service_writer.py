"""What Services need, written to a real API server: whose answers count, and who may write."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from api.objects import Body, apply, duravip, service
from api.shell import settings, until
from duravip_operator.kube import KubeWriter, ServiceWriter
from duravip_operator.kube.service_writes import ObjectWrite, Target
from duravip_operator.metrics import Metrics
from lab.cluster import Lab
from lab.errors import LabError

LAB = "bare"
VIP: Target = ("DuraVIP", "default/svc-web")
SERVICE: Target = ("Service", "default/web")
EPOCH = 3


class Play:
    """A writer, and what it has told of the API server's answers."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        given = settings(lab, folder)
        self.cluster = KubeWriter(given, Metrics("test"))
        self.leads = True
        self.cluster.leads_in = lambda _: self.leads
        self.vips: list[Body] = []
        self.gone: list[Body] = []
        self.services: list[Body] = []
        self.failures: list[str] = []
        self.writer = ServiceWriter(
            given,
            self.cluster,
            on_vip=self.vips.append,
            on_vip_gone=self.gone.append,
            on_service=self.services.append,
            on_failure=lambda _, __, why: self.failures.append(why),
        )
        self.writer.reset(EPOCH)

    async def wrote(self, target: Target, write: ObjectWrite) -> None:
        self.writer.want({target: write})
        await until(lambda: self.writer.is_idle, "it was answered", 20)

    def there(self) -> Body | None:
        try:
            found: Body = json.loads(self.lab.kubectl("get", "duravip", "svc-web", "-o=json"))
        except LabError:
            return None
        return found


@pytest.fixture
def play(
    lab: Lab, tmp_path: Path
) -> Iterator[Callable[[Callable[[Play], Awaitable[None]]], None]]:
    """Runs what a test does with a writer; nothing is left of it."""

    def run(act: Callable[[Play], Awaitable[None]]) -> None:
        async def running() -> None:
            play = Play(lab, tmp_path)
            try:
                await act(play)
            finally:
                play.writer.close()
                play.cluster.close()

        asyncio.run(running())

    yield run
    lab.kubectl("delete", "--ignore-not-found", "duravip/svc-web", "service/web")


def generated(address: str, uid: str = "0000") -> ObjectWrite:
    body = duravip("svc-web", address)
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": uid}
    body["metadata"] |= {
        "labels": {"duravip.io/service": "web"},
        "annotations": {},
        "ownerReferences": [owner],
    }
    return ObjectWrite("create", body)


Run = Callable[[Callable[[Play], Awaitable[None]]], None]


def test_what_is_there_already_is_told_and_left_as_it_is(play: Run) -> None:
    async def act(play: Play) -> None:
        apply(play.lab, [duravip("svc-web", "10.1.1.70")])
        await play.wrote(VIP, generated("10.1.1.71"))
        assert [body["spec"]["address"] for body in play.vips] == ["10.1.1.70"]
        assert play.failures == [""], "to be looked at again, and no refusal"
        assert play.writer.unseen(lambda *_: False) == {}, "nothing of it can come any more"

    play(act)


def test_a_deposed_leader_writes_nothing(play: Run) -> None:
    async def act(play: Play) -> None:
        play.leads = False
        await play.wrote(VIP, generated("10.1.1.71"))
        assert play.there() is None
        assert play.vips == []
        assert play.failures == [None], "planned again: the Lease may be renewed in its epoch"

    play(act)


def test_what_the_api_server_does_not_take_is_told_with_its_words(play: Run) -> None:
    async def act(play: Play) -> None:
        await play.wrote(VIP, generated("10.1.1.071"))
        assert "spec.address" in play.failures[0]
        assert play.writer.unseen(lambda *_: False) == {}

    play(act)


def test_only_the_very_object_is_changed_or_deleted(play: Run) -> None:
    async def act(play: Play) -> None:
        await play.wrote(VIP, generated("10.1.1.71"))
        uid = play.vips[-1]["metadata"]["uid"]
        edit = generated("10.1.1.72")._replace(action="replace")
        await play.wrote(VIP, edit._replace(uid="another"))
        await play.wrote(VIP, ObjectWrite("delete", {}, "another"))
        there = play.there()
        assert there
        assert there["spec"]["address"] == "10.1.1.71"
        await play.wrote(VIP, edit._replace(uid=uid))
        assert play.vips[-1]["spec"]["address"] == "10.1.1.72"
        await play.wrote(VIP, ObjectWrite("delete", {}, uid))
        assert play.there() is None
        assert [body["metadata"]["uid"] for body in play.gone] == [uid]

    play(act)


def test_of_a_service_its_address_and_one_condition_are_written(play: Run) -> None:
    async def act(play: Play) -> None:
        apply(play.lab, [service("web")])
        found = json.loads(play.lab.kubectl("get", "service", "web", "-o=json"))
        uid = found["metadata"]["uid"]
        ingress = [{"ip": "10.1.1.71", "ipMode": "VIP"}]
        ready = {
            "type": "duravip.io/Ready",
            "status": "True",
            "reason": "Served",
            "message": "",
            "lastTransitionTime": "2026-11-30T12:00:00Z",
        }
        status = {"status": {"loadBalancer": {"ingress": ingress}, "conditions": [ready]}}
        await play.wrote(SERVICE, ObjectWrite("status", status, "another"))
        assert play.services == []
        await play.wrote(SERVICE, ObjectWrite("status", status, uid))
        assert play.services[-1]["status"]["loadBalancer"]["ingress"] == ingress
        none = {"status": {"loadBalancer": {"ingress": None}}}
        await play.wrote(SERVICE, ObjectWrite("status", none, uid))
        assert play.services[-1]["status"]["loadBalancer"] == {}
        assert play.services[-1]["spec"] == found["spec"]

    play(act)
