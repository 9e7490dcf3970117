"""What Argo CD is told of the health of our objects, run on the statuses that we write."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from lupa.lua51 import LuaRuntime

from duravip_api.reasons import Reason, State
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.object_status import Timestamp, object_status
from duravip_operator.core.snapshot import VipObject

FILE: Final = Path(__file__).parents[3] / "docs/examples/gitops/argocd-cm.yaml"
CUSTOM: Final = yaml.safe_load(
    yaml.safe_load(FILE.read_text())["data"]["resource.customizations"]
)["duravip.io/*"]
NOW: Final = Timestamp(100.0, "2026-01-01T00:00:00.000000Z")


def health(body: dict[str, Any]) -> tuple[str, str]:
    """Its status and message, by the script."""
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(body, recursive=True)
    found = lua.execute(CUSTOM["health.lua"])
    return found["status"], found["message"]


def body(state: State, reason: Reason, owner: str = "") -> dict[str, Any]:
    """A DuraVIP as it is read, with this status."""
    vip = VipObject("DuraVIP", "x", "a", "u", "", address="10.1.1.1", generation=3)
    status = object_status(vip, AddressStatus(state, reason, "so it is", owner=owner), None, NOW)
    return {"metadata": {"generation": 3}, "status": status}


@pytest.mark.parametrize(
    ("state", "reason", "owner", "wanted"),
    [
        (State.OWNED, Reason.SERVED, "n1", "Healthy"),
        (State.UNMANAGED, Reason.NO_ADDRESS, "", "Healthy"),
        (State.MOVING, Reason.WAITING_FOR_RELEASE, "", "Progressing"),
        (State.UNASSIGNED, Reason.NO_PARTICIPANT, "", "Degraded"),
        (State.BROKEN, Reason.NO_TOPOLOGY, "", "Degraded"),
    ],
)
def test_health_follows_the_state(state: State, reason: Reason, owner: str, wanted: str) -> None:
    assert health(body(state, reason, owner)) == (wanted, "so it is")


def test_what_was_not_looked_at_yet_is_under_way() -> None:
    old = body(State.OWNED, Reason.SERVED, "n1")
    old["metadata"]["generation"] = 4
    assert health(old)[0] == "Progressing"
    assert health({"metadata": {"generation": 1}})[0] == "Progressing"
