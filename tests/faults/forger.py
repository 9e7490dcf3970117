"""What whoever has the private key of one node can send: `forger.py JSON`, in a machine.

    {"secret", "node", "boots": {node: boot}, "operators": [[HOST, PORT, public key]…],
     "agents": [[HOST, PORT]…], "kinds": [kind…], "seconds"}

Beats go to the operators from here. Acknowledgements go to the agent as if the operator had sent
them: that needs the operator's own address as source, which a raw socket gives.
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from duravip_api.heartbeat import (
    Ack,
    AnyDatagram,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    address_digest,
)
from duravip_runtime.secure_channel import OPERATOR, Channel, KeyPair, Party

NOTHING = address_digest(frozenset())
LATE = 10**9
HIGHEST_EPOCH = 2**31 - 2


class Thief:
    """Has the key of a node."""

    def __init__(self, plan: dict[str, Any], public_key: str) -> None:
        self.node, self.boots = plan["node"], plan["boots"]
        keys = KeyPair.from_secret(plan["secret"])
        self.to_operator = keys.channel(self.node, Party(OPERATOR, public_key))
        outgoing, incoming = self.to_operator
        self.to_agent = Channel(incoming, outgoing)

    def others(self) -> Iterator[bytes]:
        """Beats of other nodes, and of none, with whatever they may say."""
        for name, boot in {**self.boots, "n9": "b"}.items():
            if name != self.node:
                for generation in (0, 1, 2, 3, 4, 5, 6, 7, 8, LATE):
                    yield self._beat(name, boot, generation)
                yield self._beat(name, "another", 1)

    def boot(self) -> Iterator[bytes]:
        """Beats of another start of the node's agent."""
        yield self._beat(self.node, "another", 1)

    def own(self) -> Iterator[bytes]:
        """Beats of the node itself, numbered so that none of the true ones counts any more."""
        yield self._beat(self.node, self.boots[self.node], 1)

    def types(self) -> Iterator[bytes]:
        """What is signed and of the wrong types."""
        whole = {"node": self.node, "boot": self.boots[self.node], "seq": LATE, "generation": 1}
        for value in (None, True, -1, 1e300, [], {}, "x" * 300, [[1]]):
            for field in whole:
                body = json.dumps({**whole, "digest": "d", field: value}).encode()
                yield _signed(self.to_operator, Heartbeat(self.node, "b", 1, 1, ""), body)
        yield _signed(self.to_operator, Heartbeat(self.node, "b", 1, 1, ""), b"[" * 1300)

    def sights(self) -> Iterator[bytes]:
        """Reports that nobody has asked for, of neighbours that are gone."""
        for scout in self.boots:
            for suspect in self.boots:
                sight = ProbeReport(scout, time.time_ns(), suspect, "eth1", "silent", 0.0)
                yield self.to_operator.sealed(sight)

    def acks(self) -> Iterator[bytes]:
        """Acknowledgements of a leader that there will never be, and looks at no interface."""
        boot = self.boots[self.node]
        for seq in range(1, 3000):
            ack = Ack(boot, seq, leader=True, epoch=HIGHEST_EPOCH, generation=LATE, token="t")  # noqa: S106
            yield self.to_agent.sealed(ack)
        for number in range(100):
            look = ProbeRequest(
                self.node, boot, LATE + number, f"x{number}", f"e{number}", ("10.9.9.9",), ()
            )
            yield self.to_agent.sealed(look)
        yield _signed(
            self.to_agent, Ack("b", 1, leader=True, epoch=1, generation=1), b'{"boot":[]}'
        )

    def _beat(self, name: str, boot: str, generation: int) -> bytes:
        seq = LATE + time.time_ns() % LATE
        return self.to_operator.sealed(Heartbeat(name, boot, seq, generation, NOTHING))


def _signed(channel: Channel, like: AnyDatagram, body: bytes) -> bytes:
    head = channel.sealed(like)[:12]
    return head + blake2b(head + body, key=channel.outgoing.key, digest_size=16).digest() + body


def _spoofed(source: tuple[str, int], target: tuple[str, int], data: bytes) -> bytes:
    """An IPv4 packet that holds a datagram; the kernel fills in lengths and checksum of IP."""
    udp = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    return struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends + udp


def main() -> None:
    """Send all of it, again and again."""
    plan = json.loads(sys.argv[1])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    end = time.monotonic() + plan["seconds"]
    sent = 0
    while time.monotonic() < end:
        for host, port, public_key in plan["operators"]:
            thief = Thief(plan, public_key)
            for kind in plan["kinds"]:
                forged: Callable[[], Iterator[bytes]] = getattr(thief, kind)
                for data in forged():
                    sent += 1
                    if kind != "acks":
                        udp.sendto(data, (host, port))
                        continue
                    for agent in plan["agents"]:
                        raw.sendto(_spoofed((host, port), tuple(agent), data), (agent[0], 0))
        time.sleep(0.05)
    print(sent)


if __name__ == "__main__":
    main()
