"""A server of UDP that listens on one address each, as SIP servers do, and is told which.

    udp_server.py PORT CONTROL

It sends each datagram back from the address to which it came, and reads commands, such as
`gained 10.1.1.1`, from the Unix socket CONTROL.
"""  # noqa: INP001 - an example, no package

import selectors
import socket
import sys
from pathlib import Path


def listening(address: str, port: int) -> socket.socket:
    """A socket at this address alone."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def main(port: int, control_path: Path) -> None:
    """Serve for ever."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    control_path.unlink(missing_ok=True)
    control.bind(str(control_path))
    sockets: dict[str, socket.socket] = {}
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:
                data, sender = key.fileobj.recvfrom(2048)
                key.fileobj.sendto(data, sender)
                continue
            event, address = control.recv(200).decode().split()
            if event == "gained" and address not in sockets:
                sockets[address] = listening(address, port)
                selector.register(sockets[address], selectors.EVENT_READ)
            elif event == "lost" and address in sockets:
                selector.unregister(sockets[address])
                sockets.pop(address).close()


main(int(sys.argv[1]), Path(sys.argv[2]))
