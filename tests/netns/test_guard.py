"""What a guarded address lets in, on a real kernel and with real packets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.watchdog import WatchdogSocket
from duravip_api.addresses import from_int
from duravip_api.guards import NO_GUARDS, Guards
from netns.fenced import CLIENT, CLIENT6, MOVED, NODE, NODE6, POD, VIP, VIP6, World, world
from netns.fenced_asking import PORT, connects, echoes, family_of

WEB, SSH, KUBELET = 80, 22, 10250
DNS = 53
_KUBE_PROXY = f"""
table ip elsewhere {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {VIP} tcp dport {WEB} dnat to {POD}:{PORT}
  }}
}}
"""
OPEN = frozenset({"TCP/80", "UDP/53"})
GUARDED: Guards = {OPEN: frozenset({VIP, VIP6})}
SIDES = pytest.mark.parametrize(
    ("vip", "own", "client"), [(VIP, NODE, CLIENT), (VIP6, NODE6, CLIENT6)], ids=["v4", "v6"]
)


class Node:
    """A node with programs on wildcards, one of them translated to, and its fence."""

    def __init__(self, made: World, stack: ExitStack) -> None:
        self.world, self._stack = made, stack
        made.plumb(VIP, VIP6)
        made.node.run("nft", "-f", "-", text=_KUBE_PROXY)
        with made.pod.entered():
            stack.enter_context(socket.create_server((POD, PORT)))
        for port in (SSH, KUBELET):
            stack.enter_context(
                socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
            )
        stack.enter_context(socket.create_server((VIP6, WEB), family=socket.AF_INET6))
        self.fence, self.dead_man = Fence(), WatchdogSocket()
        stack.callback(self.fence.close)
        stack.callback(self.dead_man.close)
        self.fence.build(["eth1"], 60.0)

    def serve(self, guards: Guards) -> None:
        self.fence.guard(guards)
        self.fence.activate([VIP, VIP6])
        self.dead_man.feed()

    def lets_in(self, host: str, port: int) -> bool:
        return connects(self.world.client, host, port)

    def kept(self, sock: socket.socket) -> socket.socket:
        sock.settimeout(0.5)
        return self._stack.enter_context(sock)


@pytest.fixture
def node() -> Iterator[Node]:
    with world() as made, made.node.entered(), ExitStack() as stack:
        yield Node(made, stack)


@SIDES
def test_only_declared_ports_and_icmp_are_let_in(
    node: Node, vip: str, own: str, client: str
) -> None:
    del client
    node.serve(NO_GUARDS)
    assert all(node.lets_in(host, port) for host in (vip, own) for port in (SSH, KUBELET))
    node.serve(GUARDED)
    assert node.lets_in(vip, WEB)
    assert not node.lets_in(vip, SSH)
    assert not node.lets_in(vip, KUBELET)
    assert echoes(node.world.client, vip)
    assert all(node.lets_in(own, port) for port in (SSH, KUBELET))


@SIDES
def test_what_is_not_let_in_is_dropped_and_not_refused(
    node: Node, vip: str, own: str, client: str
) -> None:
    del client
    node.serve(GUARDED)
    # A port that nobody listens on is refused at the node's own address, and silent here.
    with pytest.raises(ConnectionRefusedError):
        node.lets_in(own, 999)
    assert not node.lets_in(vip, 999)


@SIDES
def test_a_program_on_the_node_gets_the_replies_to_its_own_connections(
    node: Node, vip: str, own: str, client: str
) -> None:
    del own
    node.serve(GUARDED)
    with node.world.client.entered():
        server = node.kept(socket.create_server((client, PORT), family=family_of(client)))
        echo = node.kept(socket.socket(family_of(client), socket.SOCK_DGRAM))
        echo.bind((client, PORT))
    program = node.kept(socket.socket(family_of(vip)))
    program.bind((vip, 0))
    program.connect((client, PORT))
    node.kept(server.accept()[0]).send(b"welcome")
    assert program.recv(99) == b"welcome"
    asker = node.kept(socket.socket(family_of(vip), socket.SOCK_DGRAM))
    asker.bind((vip, 0))
    asker.sendto(b"?", (client, PORT))
    echo.sendto(b"!", echo.recvfrom(99)[1])
    assert asker.recv(99) == b"!"


@SIDES
def test_udp_passes_at_a_declared_port_only(node: Node, vip: str, own: str, client: str) -> None:
    del own, client
    node.serve(GUARDED)
    heard = {}
    for port in (DNS, DNS + 1):
        heard[port] = node.kept(socket.socket(family_of(vip), socket.SOCK_DGRAM))
        heard[port].bind((vip, port))
        with node.world.client.entered(), socket.socket(family_of(vip), socket.SOCK_DGRAM) as out:
            out.sendto(b"?", (vip, port))
    assert heard[DNS].recv(9) == b"?"
    with pytest.raises(TimeoutError):
        heard[DNS + 1].recv(9)


@SIDES
def test_a_packet_of_an_unknown_connection_is_dropped_and_an_open_one_goes_on(
    node: Node, vip: str, own: str, client: str
) -> None:
    del own, client
    node.serve(NO_GUARDS)
    with node.world.client.entered():
        sock = node.kept(socket.create_connection((vip, SSH), timeout=0.5))
    node.serve(GUARDED)
    sock.send(b"one that was let in goes on")
    node.world.node.run("conntrack", "-F")
    sock.send(b"as on a node that it was moved to")
    with pytest.raises(TimeoutError):
        sock.recv(9)  # no reset


def test_a_change_of_ports_is_in_force_at_once(node: Node) -> None:
    node.serve(GUARDED)
    node.fence.guard({frozenset({"TCP/22"}): frozenset({VIP}), OPEN: frozenset({VIP6})})
    assert node.lets_in(VIP, SSH)
    assert not node.lets_in(VIP6, SSH)
    assert not node.lets_in(VIP, WEB)
    assert node.lets_in(VIP6, WEB)
    node.fence.guard({frozenset(): frozenset({VIP})})
    assert not node.lets_in(VIP, SSH)
    assert node.lets_in(VIP6, SSH)
    node.fence.guard(NO_GUARDS)
    assert node.lets_in(VIP, SSH)
    assert node.fence.is_intact()
    assert not node.fence.repair(), "these changes were our own"


@pytest.mark.parametrize(
    "damage",
    [
        "flush ruleset",
        "flush table inet duravip",
        "flush chain inet duravip guard",
        "flush chain inet duravip guard4",
        "flush set inet duravip guarded4",
        "flush set inet duravip guarded6",
        "flush set inet duravip open6",
        f"delete element inet duravip guarded4 {{ {VIP} }}",
        f"delete element inet duravip open4 {{ {VIP} . tcp . 80 }}",
        "delete rule inet duravip guard handle {handle}",
    ],
)
def test_damage_mutes_everything_until_the_guard_is_back(node: Node, damage: str) -> None:
    node.serve(GUARDED)
    assert not node.fence.repair(), "nothing was damaged"
    listed = node.world.node.run("nft", "-a", "list", "chain", "inet", "duravip", "guard")
    handle = listed.partition("jump guard4 # handle ")[2].split()[0]
    node.world.node.run("nft", damage.replace("{handle}", handle))
    assert not node.fence.is_intact()
    assert node.fence.repair()
    assert node.fence.is_intact()
    assert not any(node.lets_in(VIP, port) for port in (SSH, KUBELET))
    assert not node.lets_in(VIP6, WEB), "not until the next refresh"
    node.dead_man.feed()
    assert node.lets_in(VIP6, WEB)
    assert not any(node.lets_in(host, SSH) for host in (VIP, VIP6))


def test_an_address_is_not_passed_where_the_guard_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a kernel without connection tracking.
    monkeypatch.setattr(
        "duravip_agent.codec.guard_ruleset._CHAINS",
        type("Broken", (), {"substitute": staticmethod(lambda **_: "no such rule")}),
    )
    node.serve(GUARDED)
    assert not node.fence.guard_problem
    node.fence.build(["eth1"], 60.0)
    assert node.fence.guard_problem
    assert node.fence.is_fenced
    node.serve({OPEN: frozenset({VIP})})
    assert node.fence.active == {VIP6}
    assert node.lets_in(VIP6, SSH)
    assert not node.lets_in(VIP, WEB)
    monkeypatch.undo()
    node.fence._guard._retry_at = 0.0  # noqa: SLF001 - ten seconds later
    node.fence.add_interfaces(["eth1"])
    assert not node.fence.guard_problem
    node.fence.activate([VIP])
    assert node.lets_in(VIP, WEB)
    assert not node.lets_in(VIP, SSH)


def test_what_is_forwarded_to_another_node_is_left_alone(node: Node) -> None:
    node.serve({**GUARDED, frozenset(): frozenset({MOVED})})
    with node.world.client.entered():
        node.kept(socket.create_server((MOVED, PORT)))
    assert connects(node.world.pod, MOVED, PORT)


def test_thousands_are_guarded_in_one_transaction(node: Node) -> None:
    addresses = [from_int(4, (10 << 24) + (2 << 16) + i) for i in range(3413)]
    guards = {
        frozenset({f"TCP/{1000 + i}", f"UDP/{1000 + i}"}): frozenset(addresses[i::10])
        for i in range(10)
    }
    node.serve(GUARDED)
    node.fence.guard({**GUARDED, **guards})
    assert node.fence.is_intact()
    assert node.lets_in(VIP6, WEB)
    node.fence.guard({ports: frozenset(reversed(list(some))) for ports, some in guards.items()})
    assert node.fence.is_intact()
    assert node.lets_in(VIP6, SSH)
