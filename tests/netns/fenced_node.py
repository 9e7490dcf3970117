"""A node that holds an address behind its fence, and a client that asks for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.watchdog import WatchdogSocket
from netns.fenced import CLIENT, VIP, World, world
from netns.fenced_asking import ARP, Ear

DEAD_MAN = 0.5


class FencedNode:
    """A node that holds VIP, and the client that asks for it. The test runs on the node."""

    def __init__(self, made: World) -> None:
        self.world = made
        made.plumb(VIP)
        self.fence, self.dead_man = Fence(), WatchdogSocket()
        self.fence.build(["eth1"], DEAD_MAN)
        self.fence.activate([VIP])
        self.dead_man.feed()
        self._ear = Ear(made.client, ARP)

    def answers(self, address: str = VIP) -> bool:
        """Whether it answers a request by ARP."""
        return self._ear.asks(address, CLIENT)

    def last_answer(self, since: float) -> float:
        """Ask until there is silence; gives how long after `since` it was last answered for."""
        last = since
        while time.monotonic() < since + 3 * DEAD_MAN:
            asked = time.monotonic()
            if self._ear.asks(VIP, CLIENT):
                last = asked
            time.sleep(0.001)
        return last - since

    def nft(self, command: str) -> None:
        """Do what an administrator does."""
        self.world.node.run("nft", command)

    def close(self) -> None:
        """Let go of everything."""
        self._ear.close()
        self.fence.close()
        self.dead_man.close()


@contextmanager
def fenced_node() -> Iterator[FencedNode]:
    """One that this thread is on."""
    with world() as made, made.node.entered():
        node = FencedNode(made)
        try:
            yield node
        finally:
            node.close()
