"""How the agent parses its NodePlumbing."""

from typing import Any

import pytest

from duravip_agent.core.fencing import InterfaceShare
from duravip_agent.core.node_spec import Placement, parse_node_spec

Body = dict[str, Any]


def plumbing(
    *granted: str, version: int = 1, generation: int = 1, epoch: int = 0, uid: str = "u1"
) -> Body:
    return {
        "metadata": {"uid": uid, "resourceVersion": str(version), "generation": generation},
        "spec": {
            "epoch": epoch,
            "interfaces": [{"name": "eth0", "mask": 32, "granted": list(granted)}],
        },
    }


def test_ranges_are_expanded_and_keep_their_placement() -> None:
    grant = parse_node_spec(plumbing("10.1.1.1-10.1.1.3", "10.1.1.9"))
    where = Placement("eth0", 32)
    assert grant.wanted == dict.fromkeys(("10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.9"), where)


def test_contested_addresses_are_wanted_too_and_are_told_apart() -> None:
    body = plumbing("10.1.1.1", "10.1.1.2")
    body["spec"]["interfaces"][0]["contested"] = ["10.1.1.2-10.1.1.3"]
    grant = parse_node_spec(body)
    assert set(grant.wanted) == {"10.1.1.1", "10.1.1.2", "10.1.1.3"}
    assert grant.shares == (
        InterfaceShare("eth0", frozenset({"10.1.1.1"}), frozenset({"10.1.1.2", "10.1.1.3"})),
    )


def test_an_interface_is_strict_when_all_of_its_entries_are() -> None:
    body = plumbing("10.1.1.1")
    strict = body["spec"]["interfaces"][0] | {"fencing": "Strict"}
    body["spec"]["interfaces"] = [strict, strict | {"name": "eth1"}, {"name": "eth1", "mask": 128}]
    grant = parse_node_spec(body)
    assert grant.strict == ("eth0",)
    assert [share.is_strict for share in grant.shares] == [True, True, False]


@pytest.mark.parametrize(
    "bad", ["10.1.1", "10.1.1.9-10.1.1.1", "0.0.0.0-255.255.255.255", "10.1.1.1-fd00::1"]
)
def test_an_entry_that_cannot_be_read_costs_only_itself(bad: str) -> None:
    grant = parse_node_spec(plumbing("10.1.1.1", bad))
    assert set(grant.wanted) == {"10.1.1.1"}
    assert set(grant.failures) == {bad}


def test_a_mask_that_does_not_fit_is_named() -> None:
    body = plumbing("10.1.1.1")
    body["spec"]["interfaces"][0]["mask"] = 64
    assert parse_node_spec(body).failures == {
        "10.1.1.1": "the entry is not understood: a mask of 64 does not fit the address"
    }


def test_guards_are_read_of_what_is_granted() -> None:
    body = plumbing("10.1.1.1-10.1.1.3")
    body["spec"]["guarded"] = ["10.1.1.1,3 TCP/25", "10.1.1.9"]
    spec = parse_node_spec(body)
    assert spec.guards == {frozenset({"TCP/25"}): frozenset({"10.1.1.1", "10.1.1.3"})}
    assert spec.guarded == {"10.1.1.1", "10.1.1.3"}
    assert parse_node_spec(plumbing("10.1.1.1")).guarded == frozenset()


def test_a_spec_whose_guards_cannot_be_read_is_refused() -> None:
    body = plumbing("10.1.1.1")
    body["spec"]["guarded"] = ["10.1.1.1 TCP/x"]
    with pytest.raises(ValueError, match="ports"):
        parse_node_spec(body)


def test_of_too_many_open_ports_those_of_the_addresses_with_most_stay_closed() -> None:
    body = plumbing("10.1.0.0-10.1.3.255", "10.2.1.1")
    many = ",".join(f"TCP/{n}" for n in range(1000, 1064))
    body["spec"]["guarded"] = [f"10.1.0.0-10.1.3.255 {many}", "10.2.1.1 TCP/25"]
    spec = parse_node_spec(body)
    assert spec.guarded == spec.wanted.keys()
    sizes = {len(ports): len(some) for ports, some in spec.guards.items()}
    assert sizes == {0: 513, 1: 1, 64: 511}
    assert "513 addresses" in spec.failures["guarded"]


def open_at(*groups: tuple[str, int]) -> tuple[dict[int, int], str]:
    """`({open ports: addresses}, the failure)` where addresses have so many ports each."""
    body = plumbing(*(addresses for addresses, _ in groups))
    body["spec"]["guarded"] = [
        f"{addresses} {','.join(f'TCP/{n + 1}' for n in range(ports))}"
        for addresses, ports in groups
    ]
    spec = parse_node_spec(body)
    assert spec.guarded == spec.wanted.keys()
    sizes = {len(ports): len(some) for ports, some in spec.guards.items()}
    return sizes, spec.failures.get("guarded", "")


def test_as_many_open_ports_as_are_allowed_are_open() -> None:
    most = ("10.1.0.0-10.1.0.255", 128)
    assert open_at(most) == ({128: 256}, "")
    sizes, why = open_at(most, ("10.2.1.1", 1))
    assert sizes == {0: 1, 1: 1, 128: 255}
    assert "1 addresses" in why


def test_what_is_left_is_shared_out_to_the_addresses_with_fewest_first() -> None:
    sizes, _ = open_at(("10.1.0.1-10.1.31.64", 4), ("10.2.1.1-10.2.1.100", 64), ("10.3.1.1", 65))
    assert sizes == {0: 89, 4: 8000, 64: 12}
