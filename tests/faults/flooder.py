"""Sends datagrams that nobody has signed: `flooder.py SECONDS A_SECOND HOST:PORT…`."""

import os
import socket
import sys
import time

from duravip_api.beats import Beat as _Beat
from duravip_api.beats import keys_in, sealed

AT_ONCE = 100


def main() -> None:
    """Send to each so many a second; prints how many that were in all."""
    seconds, pace = float(sys.argv[1]), int(sys.argv[2])
    targets = [target.rpartition(":") for target in sys.argv[3:]]
    where = [(host, int(port)) for host, _, port in targets]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    beat = sealed(_Beat("n1", "b", 1, 1, "d"), keys_in("whatever key that may be"))
    kinds = [b"", b"DV\1\1" + os.urandom(200), os.urandom(1400), beat, b"DV\1\2" + bytes(60)]
    started, sent = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        if sent > passed * pace * len(where):
            time.sleep(0.001)
            continue
        for number in range(AT_ONCE):
            for target in where:
                udp.sendto(kinds[number % len(kinds)], target)
        sent += AT_ONCE * len(where)
    print(sent)


if __name__ == "__main__":
    main()
