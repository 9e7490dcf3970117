"""The frames that the agent sends to a segment."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.codec.frames import announcement_frame, mac_bytes
from duravip_agent.core.kernel_state import NeighbourEntry
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import Announcement

HERE = Placement("eth0", 32)


MAC = bytes.fromhex("020000000001")


FRIEND = NeighbourEntry(2, "10.1.0.9", "02:00:00:00:00:09", "REACHABLE")


FRIEND6 = NeighbourEntry(2, "fd00::9", "02:00:00:00:00:09", "REACHABLE")


def test_a_gratuitous_request_asks_everybody_for_the_address_itself() -> None:
    frame = announcement_frame(Announcement(HERE, "10.1.1.1"), MAC)
    assert frame == (
        b"\xff" * 6 + MAC + bytes.fromhex("0806 0001 0800 06 04 0001")
        + MAC + bytes([10, 1, 1, 1]) + bytes(6) + bytes([10, 1, 1, 1])
    )  # fmt: skip


def test_a_gratuitous_reply_names_the_sender_as_its_target() -> None:
    frame = announcement_frame(Announcement(HERE, "10.1.1.1", is_reply=True), MAC)
    assert frame[20:22] == b"\0\2"
    assert frame[22:32] == frame[32:42] == MAC + bytes([10, 1, 1, 1])


def test_a_reply_to_a_neighbour_goes_to_its_mac_alone() -> None:
    frame = announcement_frame(Announcement(HERE, "10.1.1.1", is_reply=True, to=FRIEND), MAC)
    assert frame[:6] == mac_bytes(FRIEND.mac)
    assert frame[32:42] == mac_bytes(FRIEND.mac) + bytes([10, 1, 0, 9])


def checksum(data: bytes) -> int:
    """RFC 1071, said in another way than the program does."""
    total = 0
    for high, low in zip(data[::2], data[1::2], strict=True):
        total += (high << 8) + low
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.ip_addresses(v=6).map(str), st.sampled_from([None, FRIEND6]))
def test_an_advertisement_overrides_and_its_checksum_holds(
    address: str, to: NeighbourEntry | None
) -> None:
    frame = announcement_frame(Announcement(HERE, address, to=to), MAC)
    source, target, message = frame[22:38], frame[38:54], frame[54:]
    assert source == message[8:24] == socket.inet_pton(socket.AF_INET6, address)
    assert target == socket.inet_pton(socket.AF_INET6, to.address if to else "ff02::1")
    assert frame[:6] == (mac_bytes(to.mac) if to else bytes.fromhex("333300000001"))
    assert (frame[20], frame[21]) == (58, 255)
    assert message[0] == 136
    assert message[4] == 0x20
    assert message[24:] == b"\2\1" + MAC
    assert checksum(source + target + struct.pack("!II", len(message), 58) + message) == 0xFFFF
