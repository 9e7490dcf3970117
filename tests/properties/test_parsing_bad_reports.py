"""Whatever a node's status says harms nothing else: it is read as far as it is sound."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.world import World

GIVEN = {
    "nodes": ["n1", "n2"],
    "objects": [
        {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.1.0/24", "interface": "eth1"}},
        {
            "kind": "Topology",
            "name": "six",
            "spec": {"cidr": "fd00:1::/64", "interface": "eth1", "crossSubnet": "Exclude"},
        },
        *(
            {"kind": "DuraVIP", "name": name, "spec": {"address": address, "preference": node}}
            for name, address, node in (
                ("a", "10.1.1.1", "n1"),
                ("b", "10.1.1.2", "n2"),
                ("c", "fd00:1::64:1", "n1"),
            )
        ),
    ],
}
STRANGE = st.sampled_from(
    [
        *(None, True, -1, 2**70, 1.5, "", "x", [], {}, [None], [[]], [{}], {"a": 1}, "é" * 300),
        *("10.1.1.1/99", "10.1.1.1/", "/24", "10.1.1.300", "fd00::1%eth0", "10.1.1.9-10.1.1.1"),
        *("::ffff:10.1.1.1", "0.0.0.0/0", "::/0", ["10.1.1.300", "x"], ["::/0", ""]),
    ]
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything in it."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [*([path] if path else []), *(p for k, v in items for p in leaves(v, (*path, k)))]


@pytest.mark.parametrize("reason", ["AgentReady", "Muted"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_strange_status_costs_nobody_else_anything(reason: str, data: st.DataObject) -> None:
    world = World(GIVEN)
    machine = world.machines["n1"]
    machine.agent = False
    machine.report(served=["10.1.1.1", "fd00:1::64:1"], reason=reason)
    status = machine.plumbing["status"]
    more = [("served", 0), ("failures",), ("neighbours",), ("contested",), ("nics", 1, "unusable")]
    path = data.draw(st.sampled_from([*leaves(status), *more]))
    part = status
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = data.draw(STRANGE)
    machine.beat = lambda: ("", 0, "")  # type: ignore[method-assign]
    world.is_sound = False
    world.settle()
    (other,) = (body for key, body in world.objects.items() if key[2] == "b")
    assert (other["status"]["state"], other["status"]["owner"]) == ("Owned", "n2")
