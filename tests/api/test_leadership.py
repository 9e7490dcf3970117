"""The elector on real Leases, through an API server that hangs, and the list of replicas."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.shell import settings, until
from duravip_operator.leadership import Elector, Replicas
from duravip_operator.leadership.lease_rule import (
    LEASE_DURATION_S,
    RENEW_DEADLINE_S,
    RETRY_PERIOD_S,
)
from lab.cluster import Lab

LAB = "bare"

NAMESPACE = "election"


@pytest.fixture(scope="module")
def namespace(lab: Lab) -> str:
    lab.kubectl("create", "namespace", NAMESPACE)
    return NAMESPACE


@pytest.fixture(autouse=True)
def leases(lab: Lab, namespace: str) -> Iterator[None]:
    yield
    lab.kubectl("delete", "leases", "--all", "-n", namespace)


def elector(lab: Lab, folder: Path, name: str) -> Elector:
    given = settings(lab, folder, f"--namespace={NAMESPACE}", f"--identity={name}")
    return Elector(given, lambda: None, lambda: 6)


def members(lab: Lab, folder: Path, name: str, port: int) -> Replicas:
    options = [f"--namespace={NAMESPACE}", f"--identity={name}"]
    given = settings(lab, folder, *options, f"--pulse-advertise=127.0.0.1:{port}")
    return Replicas(given, lambda: None, lambda: False, f"key of {name}")


def test_a_leader_that_stops_hands_over_at_once(lab: Lab, tmp_path: Path) -> None:
    async def play() -> None:
        one, two = elector(lab, tmp_path, "one"), elector(lab, tmp_path, "two")
        one.start()
        await until(lambda: one.epoch == 7, "one leads above every epoch")
        two.start()
        await asyncio.sleep(2 * RETRY_PERIOD_S)
        assert two.epoch is None
        await one.stop()
        assert one.epoch is None
        assert await until(lambda: two.epoch == 8, "two leads") < 1
        await two.stop()

    asyncio.run(play())
    lease = json.loads(lab.kubectl("get", "lease", "duravip-operator", "-n", NAMESPACE, "-o=json"))
    assert lease["spec"]["holderIdentity"] == ""
    assert lease["spec"]["leaseTransitions"] == 8


def test_a_leader_cut_off_by_a_hung_api_server_stops_in_time_and_goes_on(
    lab: Lab, tmp_path: Path
) -> None:
    async def play() -> None:
        one = elector(lab, tmp_path, "one")
        one.start()
        await until(lambda: one.epoch == 7, "one leads")
        lab.control_plane.api_server.stop()
        try:
            assert await until(lambda: one.epoch is None, "it stops") <= RENEW_DEADLINE_S + 0.1
            await asyncio.sleep(LEASE_DURATION_S)
            assert one.epoch is None
        finally:
            lab.control_plane.api_server.resume()
        await until(lambda: one.epoch is not None, "it leads again")
        await one.stop()

    asyncio.run(play())


def test_stopping_does_not_wait_for_an_api_server_that_hangs(lab: Lab, tmp_path: Path) -> None:
    async def play() -> float:
        one = elector(lab, tmp_path, "one")
        one.start()
        await until(lambda: one.epoch is not None, "one leads")
        lab.control_plane.api_server.stop()
        started = asyncio.get_running_loop().time()
        try:
            await one.stop()
            return asyncio.get_running_loop().time() - started
        finally:
            lab.control_plane.api_server.resume()

    assert asyncio.run(play()) < 1.5


def test_replicas_learn_of_one_another(lab: Lab, tmp_path: Path) -> None:
    async def play() -> None:
        one, two = members(lab, tmp_path, "one", 7001), members(lab, tmp_path, "two", 7002)
        assert one.replicas() == (("127.0.0.1:7001", "key of one"),)
        one.start()
        two.start()
        both = (("127.0.0.1:7001", "key of one"), ("127.0.0.1:7002", "key of two"))
        await until(lambda: one.replicas() == two.replicas() == both, "both know both")
        await two.stop()
        await until(lambda: one.replicas() == both[:1], "two is gone")
        await one.stop()

    asyncio.run(play())
    assert lab.kubectl("get", "leases", "-n", NAMESPACE, "-o=name") == ""
