"""Writes to a real API server: what is refused, what is tried again, what stands back."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from kubernetes.client import CustomObjectsApi

from api.objects import apply, duravip
from api.shell import restart_api_server, settings, until
from duravip_operator.core import parsing
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.kube import KubeWriter, Priority, StatusWriter, preflight
from duravip_operator.metrics import Metrics
from duravip_runtime.api_error import ApiError
from duravip_runtime.settings import SettingsError
from lab.cluster import Lab

LAB = "bare"

SPEC = {"epoch": 1}


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[KubeWriter]:
    cluster = KubeWriter(settings(lab, tmp_path), Metrics("test"))
    yield cluster
    cluster.close()


@pytest.fixture
def known(lab: Lab, cluster: KubeWriter) -> Iterator[Plumbing]:
    # Where the first answer comes too late, the second try says that there is one already.
    made = cluster.create_plumbing("written", SPEC) or read(cluster)
    yield made
    lab.kubectl("delete", "nodeplumbing", "written", "--ignore-not-found")


@pytest.fixture
def writer(lab: Lab, cluster: KubeWriter) -> Iterator[StatusWriter]:
    writer = StatusWriter(cluster, Metrics("test"))
    writer.start()
    yield writer
    cluster.close()
    writer.stop()
    lab.kubectl("delete", "duravips", "--all")


def read(cluster: KubeWriter) -> Plumbing:
    body = cluster.read_plumbing("written")
    assert body is not None
    return parsing.plumbing(body)


def owner(lab: Lab, name: str) -> Any:
    found = json.loads(lab.kubectl("get", "duravip", name, "-o=json"))
    return found.get("status", {}).get("owner")


def test_a_spec_is_written_once_for_each_version_that_was_read(
    cluster: KubeWriter, known: Plumbing
) -> None:
    after = cluster.write_spec(known, {"epoch": 2})
    assert after is not None
    assert (after.epoch, after.generation) == (2, known.generation + 1)
    assert cluster.write_spec(known, {"epoch": 3}) is None
    assert read(cluster).epoch == 2


def test_nobody_keeps_account_of_who_wrote_which_field(
    lab: Lab, cluster: KubeWriter, known: Plumbing
) -> None:
    def account() -> object:
        body = cluster.read_plumbing("written")
        assert body is not None
        return body["metadata"].get("managedFields")

    assert account()
    assert cluster.write_spec(known, {"epoch": 2}) is not None
    lab.kubectl(
        *("patch", "nodeplumbing", "written", "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": {"epoch": 1}})),
    )
    assert not account()


def test_a_write_does_not_mind_a_new_status(
    lab: Lab, cluster: KubeWriter, known: Plumbing
) -> None:
    patch = json.dumps({"status": {"epoch": 1}})
    options = ["--subresource=status", "--type=merge", "-p", patch]
    lab.kubectl("patch", "nodeplumbing", "written", *options)
    assert cluster.write_spec(known, {"epoch": 2}) is not None


def test_a_successor_of_the_same_name_is_left_alone(cluster: KubeWriter, known: Plumbing) -> None:
    earlier = replace(known, uid="another")
    assert cluster.write_spec(earlier, {"epoch": 2}) is None
    cluster.delete_plumbing(earlier)
    assert read(cluster).epoch == 1
    assert cluster.create_plumbing("written", SPEC) is None


def test_what_is_gone_is_no_error(cluster: KubeWriter, known: Plumbing) -> None:
    cluster.delete_plumbing(known)
    cluster.delete_plumbing(known)
    assert cluster.read_plumbing("written") is None
    assert cluster.write_spec(known, {"epoch": 2}) is None


def test_a_spec_that_the_kind_does_not_allow_is_an_error(
    cluster: KubeWriter, known: Plumbing
) -> None:
    with pytest.raises(ApiError, match=r"spec\.epoch"):
        cluster.write_spec(known, {"epoch": -1})


def test_a_hot_write_outlives_a_short_outage(
    lab: Lab, cluster: KubeWriter, known: Plumbing
) -> None:
    async def play() -> Plumbing | None:
        lab.control_plane.api_server.stop()
        write = asyncio.create_task(cluster.replace_spec(known, {"epoch": 2}, nullcontext))
        await asyncio.sleep(1.5)
        assert not write.done()
        lab.control_plane.api_server.resume()
        return await write

    asyncio.run(play())
    assert cluster.no_urgent_write.is_set()
    assert read(cluster).epoch == 2


def test_a_status_is_replaced_as_a_whole(lab: Lab, writer: StatusWriter) -> None:
    async def play() -> None:
        apply(lab, [duravip("said", "10.1.1.5")])
        key = ("DuraVIP", "default", "said")
        writer.put(key, {"state": "Owned", "owner": "n1"}, Priority.OWNER_CHANGE)
        await until(lambda: owner(lab, "said") == "n1", "the owner is said")
        writer.put(key, {"state": "Unassigned"}, Priority.OWNER_CHANGE)
        await until(lambda: owner(lab, "said") is None, "there is none")

    asyncio.run(play())


def test_statuses_stand_back_while_a_hot_write_is_outstanding(
    lab: Lab, cluster: KubeWriter, writer: StatusWriter
) -> None:
    async def play() -> None:
        apply(lab, [duravip("later", "10.1.1.5")])
        release = Event()
        hot = asyncio.create_task(cluster.urgent(release.wait))
        await until(lambda: not cluster.no_urgent_write.is_set(), "a hot write is outstanding")
        writer.put(("DuraVIP", "default", "later"), {"owner": "n1"}, Priority.CHANGE)
        await asyncio.sleep(0.5)
        assert owner(lab, "later") is None
        release.set()
        await hot
        await until(lambda: owner(lab, "later") == "n1", "the owner is said")

    asyncio.run(play())


def test_statuses_wait_for_an_api_server_that_is_away(lab: Lab, writer: StatusWriter) -> None:
    async def play() -> None:
        names = [f"away-{n}" for n in range(30)]
        apply(lab, [duravip(name, f"10.1.1.{n + 10}") for n, name in enumerate(names)])
        lab.kubectl("delete", "duravip", "away-29")
        lab.control_plane.api_server.stop()
        for name in names:
            writer.put(("DuraVIP", "default", name), {"owner": "n1"}, Priority.CHANGE)
        await asyncio.sleep(1.5)
        lab.control_plane.api_server.resume()
        await asyncio.to_thread(restart_api_server, lab)
        writer.put(("DuraVIP", "default", "away-0"), {"owner": "n2"}, Priority.CHANGE)
        await until(
            lambda: [owner(lab, name) for name in names[:29]] == ["n2", *["n1"] * 28],
            "all owners are said",
            within=30,
        )

    asyncio.run(play())


def test_who_writes_a_status_in_between_is_no_failure(
    lab: Lab,
    known: Plumbing,
    writer: StatusWriter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The agent writes the same status: what was read is old when the condition is written."""
    reading = CustomObjectsApi.get_cluster_custom_object
    overtaken = Event()

    def read_and_be_overtaken(api: CustomObjectsApi, *where: str, **options: Any) -> Any:
        found = reading(api, *where, **options)
        if not overtaken.is_set():
            lab.kubectl(
                "patch", "nodeplumbing", "written", "--subresource=status", "--type=merge",
                '-p={"status": {"served": ["10.1.1.9"]}}',
            )  # fmt: skip
            overtaken.set()
        return found

    def conditions() -> list[str]:
        found = json.loads(lab.kubectl("get", "nodeplumbing", "written", "-o=json"))
        status = found.get("status", {})
        return [one["type"] for one in status.get("conditions", ())]

    async def play() -> None:
        condition = {
            "type": "Tried", "status": "True", "reason": "Test", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        writer.put(("NodePlumbing", "", known.node), condition, Priority.CHANGE)
        await until(lambda: conditions() == ["Tried"], "it is written all the same")

    monkeypatch.setattr(CustomObjectsApi, "get_cluster_custom_object", read_and_be_overtaken)
    asyncio.run(play())
    assert overtaken.is_set()
    assert "statuses" not in caplog.text


def test_a_missing_permission_is_named(lab: Lab, tmp_path: Path) -> None:
    lab.kubectl("create", "serviceaccount", "nobody")
    account = lab.account_kubeconfig("default", "nobody", inside=False)
    given = settings(lab, tmp_path, f"--kubeconfig={account}")
    with pytest.raises(SettingsError, match=r"^the operator may not list duravips\.duravip\.io: "):
        preflight(given, Event())


def test_with_all_permissions_the_operator_starts(lab: Lab, tmp_path: Path) -> None:
    preflight(settings(lab, tmp_path), Event())


def test_an_api_server_that_is_away_is_waited_for(lab: Lab, tmp_path: Path) -> None:
    async def play() -> None:
        lab.control_plane.api_server.kill()
        check = asyncio.create_task(asyncio.to_thread(preflight, settings(lab, tmp_path), Event()))
        await asyncio.sleep(1)
        assert not check.done()
        lab.control_plane.start_api_server()
        await asyncio.to_thread(lab.control_plane.wait_until_ready)
        await asyncio.wait_for(check, 10)

    asyncio.run(play())
