"""Announce addresses by hand: `python -m lab.observer.announce NIC ADDRESS…`."""

import socket
import sys

from lab.observer.frames import announcement


def main() -> None:
    """Send one gratuitous ARP, or unsolicited NA, for each, from the card that has them."""
    nic, *addresses = sys.argv[1:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as card:
        card.bind((nic, 0))
        for address in addresses:
            card.send(announcement(card.getsockname()[4], address))


if __name__ == "__main__":
    main()
