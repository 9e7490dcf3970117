"""A former owner speaks no more: whatever still translates to its address, on a real kernel."""

import socket
import time
from collections.abc import Iterator

import pytest

from duravip_agent.codec import released_ruleset
from duravip_agent.kernel.released_addresses import ReleasedAddresses
from netns.fenced import CLIENT, MOVED, POD, VIP, VIP6
from netns.fenced_asking import PORT, connects, echoes
from netns.former_owner import CLIENTS, SERVED, VIPS, Flow, FormerOwner, former_owner

WAYS = [(k, v, w) for k in ("udp", "tcp") for v in (4, 6) for w in ("dnat", "snat")]


@pytest.fixture
def node() -> Iterator[FormerOwner]:
    with former_owner() as made:
        yield made


@pytest.mark.parametrize(("kind", "version", "way"), WAYS)
def test_nothing_is_translated_to_a_released_address(
    node: FormerOwner, kind: str, version: int, way: str
) -> None:
    flow = Flow(node, kind, version, way)
    node.heard()
    flow.publish()
    assert node.heard() >= 8 if kind == "udp" else node.heard() > 0
    assert way == "dnat" or flow.sender == VIPS[version]
    node.release()
    node.heard()
    for _ in range(8):
        flow.publish()
        flow.address()
    assert node.sent() == 0
    assert node.connections.wait(5)
    for _ in range(8):  # what the kernel remembered is gone, and is made anew by what is sent
        flow.publish()
        flow.address()
    assert node.sent() == 0


@pytest.mark.parametrize("way", ["dnat", "snat"])
def test_a_flow_that_begins_after_the_release_is_not_answered_either(
    node: FormerOwner, way: str
) -> None:
    node.release()
    assert node.connections.wait(5)
    node.heard()
    with pytest.raises(TimeoutError):
        Flow(node, "tcp", 4, way)
    assert node.sent() == 0


def test_what_the_node_holds_again_is_translated_again(node: FormerOwner) -> None:
    node.release()
    assert node.connections.wait(5)
    node.take()
    assert not node.released.addresses
    for kind, version, way in WAYS:
        flow = Flow(node, kind, version, way)
        node.heard()
        flow.publish()
        assert node.heard() > 0


def test_an_administrator_may_give_the_address_to_the_node_himself(node: FormerOwner) -> None:
    node.release()
    assert node.connections.wait(5)
    node.world.plumb(VIP)
    flow = Flow(node, "udp", 4, "dnat")
    node.heard()
    flow.publish()
    assert node.heard() >= 8


def test_what_is_forwarded_to_the_new_owner_and_back_passes(node: FormerOwner) -> None:
    node.fence.activate([MOVED])  # the client is its new owner
    node.fence.deactivate([MOVED])
    node.released.add([MOVED], {"eth1"})
    node.fence.unwatch([MOVED])
    assert node.connections.wait(5)
    client = node.world.client
    with client.entered():
        server = socket.create_server((MOVED, PORT))
    with server:
        assert connects(node.world.pod, MOVED), "masqueraded"
        assert connects(node.world.node, MOVED)
        assert echoes(node.world.pod, MOVED)
        node.world.node.run("nft", "delete", "table", "ip", "elsewhere")
        assert connects(node.world.pod, MOVED), "as it is"
        assert echoes(client, POD)


def test_pods_that_reach_the_service_by_this_nodes_own_rules_still_do(node: FormerOwner) -> None:
    node.release()
    assert node.connections.wait(5)
    world = node.world
    world.node.ip(
        f"link add cni1 type veth peer name eth9 netns {world.client.path}",
        "addr add 10.245.0.1/24 dev cni1",
        "link set cni1 up",
    )
    world.client.ip(
        "addr add 10.245.0.2/24 dev eth9", "link set eth9 up", f"route add {VIP} via 10.245.0.1"
    )
    with world.pod.entered():
        server = socket.create_server((POD, SERVED))
    with server:
        assert connects(world.client, VIP, SERVED)


def test_only_connections_of_the_address_are_forgotten(node: FormerOwner) -> None:
    flows = [Flow(node, *way) for way in WAYS]
    for flow in flows:
        flow.publish(1)
    with node.world.client.entered():
        server = socket.create_server((CLIENT, PORT))
    with server:
        assert connects(node.world.pod, CLIENT)
        before = node.tracked()
        assert f"dst={VIP} " in before
        assert f"dst={VIP6} " in before
        node.release()
        assert node.connections.wait(5)
        after = node.tracked()
    assert f"={VIP} " not in after
    assert f"={VIP6} " not in after
    assert f"dst={CLIENT} sport=" in after
    ended = {"kind": "conntrack"}
    name = "duravip_agent_ended_connections_total"
    assert (node.metrics.registry.get_sample_value(name, ended) or 0) >= len(WAYS)


@pytest.mark.parametrize("version", [4, 6])
def test_the_nodes_own_sockets_are_destroyed_and_listeners_stay(
    node: FormerOwner, version: int
) -> None:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    listener = socket.create_server((VIPS[version], PORT), family=family)
    dual = socket.create_server(("::", PORT + 1), family=socket.AF_INET6, dualstack_ipv6=True)
    with node.world.client.entered():
        clients = [
            socket.create_connection((VIPS[version], port), timeout=1) for port in (PORT, PORT + 1)
        ]
        sink = socket.socket(family, socket.SOCK_DGRAM)
        sink.bind((CLIENTS[version], PORT))
    accepted = [server.accept()[0] for server in (listener, dual)]
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((VIPS[version], 0))
    udp.connect((CLIENTS[version], PORT))
    udp.send(b"x")
    node.release()
    assert node.connections.wait(5)
    node.heard()
    for sock in (*accepted, udp):
        sock.settimeout(1)
        with pytest.raises(ConnectionAbortedError):
            sock.recv(9)
    assert node.sent() == 0
    for server in (listener, dual):
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    for sock in (listener, dual, *accepted, udp, *clients, sink):
        sock.close()


def test_a_program_that_is_bound_to_it_sends_nothing(node: FormerOwner) -> None:
    bound = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with bound:
        bound.bind((VIP6, PORT))
        bound.sendto(b"x", (CLIENTS[6], PORT))
        node.release()
        node.heard()
        for _ in range(5):
            try:
                bound.sendto(b"x", (CLIENTS[6], PORT))
            except OSError:
                continue
        assert node.sent() == 0


def test_the_set_outlives_an_agent_that_is_killed_and_one_that_ends(node: FormerOwner) -> None:
    node.release()
    assert node.connections.wait(5)
    node.released.close(1)
    successor = ReleasedAddresses()
    successor.build()
    assert successor.addresses == {VIP, VIP6}
    flow_is_answered = True
    try:
        Flow(node, "tcp", 4, "dnat")
    except TimeoutError:
        flow_is_answered = False
    assert not flow_is_answered
    successor.remove([VIP, VIP6])
    successor.close(0)
    assert released_ruleset.TABLE not in node.world.node.run("nft", "list", "tables")


@pytest.mark.parametrize(
    "command",
    [
        "flush ruleset",
        f"flush set inet {released_ruleset.TABLE} released4",
        f"delete table inet {released_ruleset.TABLE}",
        f"flush table inet {released_ruleset.TABLE}",
    ],
)
def test_a_table_that_somebody_changes_is_built_again(node: FormerOwner, command: str) -> None:
    node.release()
    before = node.world.node.run("nft", "list", "table", "inet", released_ruleset.TABLE)
    node.world.node.run("nft", command)
    node.released.repair()
    after = node.world.node.run("nft", "list", "table", "inet", released_ruleset.TABLE)
    assert after.count(" drop") == before.count(" drop") == 4
    assert '"eth1"' in after
    assert VIP in after
    assert VIP6 in after


def test_thousands_at_once_hold_nobody_up(node: FormerOwner) -> None:
    many = [f"10.1.{64 + i // 250}.{i % 250 + 1}" for i in range(5120)]
    node.released.add(["10.1.9.9"], {"eth1"})
    began = time.monotonic()
    node.released.add(many, {"eth1"})
    assert time.monotonic() - began < 1.0
    assert node.connections.wait(10)
    node.released.remove(frozenset(many))
    assert node.released.addresses == {"10.1.9.9"}


def test_an_hour_later_it_is_forgotten_and_not_put_back(node: FormerOwner) -> None:
    passed = 0.0
    kept = ReleasedAddresses(clock=lambda: time.monotonic() + passed)
    kept.build()
    kept.add([VIP], {"eth1"})
    kept.repair()
    assert kept.addresses == {VIP}
    passed = released_ruleset.KEPT_S
    node.world.node.run("nft", "flush", "set", "inet", released_ruleset.TABLE, "released4")
    kept.repair()
    assert kept.addresses == frozenset()
    assert VIP not in node.world.node.run("nft", "list", "table", "inet", released_ruleset.TABLE)
    kept.close(0)
