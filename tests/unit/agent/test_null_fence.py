"""The stand-in for a fence that cannot be had."""

import inspect
import logging

import pytest

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.kernel.watchdog import WatchdogSocket


def public(kind: type) -> dict[str, inspect.Signature]:
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(member) for name, member in members if name[0] != "_"}


def test_it_can_be_called_like_the_fence_and_like_its_dead_man() -> None:
    shape = {name: tuple(s.parameters) for name, s in public(NullFence).items()}
    for kind in (Fence, WatchdogSocket):
        for name, signature in public(kind).items():
            assert shape[name] == tuple(signature.parameters), name
    assert not NullFence.is_fenced
    assert Fence.is_fenced


def test_it_says_what_is_missing_and_keeps_the_sets(caplog: pytest.LogCaptureFixture) -> None:
    unfenced = NullFence()
    with caplog.at_level(logging.WARNING):
        unfenced.build(["eth1"], 0.5, ["10.1.1.9"])
    assert "there is no fence" in caplog.text
    unfenced.activate(["10.1.1.1", "10.1.1.2"])
    unfenced.deactivate(["10.1.1.1"])
    assert unfenced.active == {"10.1.1.2"}
    unfenced.unwatch(["10.1.1.9", "10.1.1.1"])
    assert unfenced.watched == unfenced.active == {"10.1.1.2"}
    unfenced.remove()
    assert not unfenced.watched
