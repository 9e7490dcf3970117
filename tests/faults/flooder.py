"""Sends datagrams that nobody has signed: `flooder.py SECONDS A_SECOND HOST:PORT…`, to each."""

import os
import socket
import sys
import time

from duravip_api.heartbeat import Heartbeat, encode, parse_keys

AT_ONCE = 40
_UDP_SEGMENT = 103
"""<linux/udp.h>: one call sends many datagrams, so that the sender is not what is measured."""


def kinds() -> list[bytes]:
    """What somebody may try who has no key."""
    beat = encode(Heartbeat("n1", "b", 1, 1, "d"), parse_keys("whatever key that may be"))
    return [b"x", b"DV\1\1" + os.urandom(200), os.urandom(1200), beat, b"DV\1\2" + bytes(60)]


def main() -> None:
    """Send to each so many a second; prints how many that were in all."""
    seconds, pace = float(sys.argv[1]), int(sys.argv[2])
    targets = [target.rpartition(":") for target in sys.argv[3:]]
    where = [(host, int(port)) for host, _, port in targets]
    bursts = []
    for kind in kinds():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, len(kind))
        bursts.append((udp, kind * AT_ONCE))
    started, rounds = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        if rounds * AT_ONCE > passed * pace:
            time.sleep(0.001)
            continue
        udp, burst = bursts[rounds % len(bursts)]
        for target in where:
            udp.sendto(burst, target)
        rounds += 1
    print(rounds * AT_ONCE * len(where))


if __name__ == "__main__":
    main()
