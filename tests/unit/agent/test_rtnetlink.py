"""The bytes that the agent sends to the kernel."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.codec import netlink_messages, rtnetlink
from duravip_agent.codec.frames import mac_bytes
from duravip_agent.codec.rtnetlink import AddressChange
from duravip_agent.core.kernel_state import IfAddress, NeighbourEntry

FRIEND = NeighbourEntry(3, "10.1.0.9", "02:00:00:00:00:09", "STALE")


ALIASES = st.tuples(st.integers(1, 9999), st.ip_addresses().map(str), st.integers(0, 32)).map(
    lambda found: IfAddress(*found, is_marked=True)
)


@given(ALIASES)
def test_what_is_packed_is_unpacked_as_the_same(alias: IfAddress) -> None:
    request = rtnetlink.change_request(AddressChange(alias, is_new=True), 7, wants_ack=True)
    (message,) = netlink_messages.split(request)
    assert (message.kind, message.seq) == (rtnetlink.NEW_ADDRESS, 7)
    assert rtnetlink.address_in(message.body) == alias


def test_a_deletion_does_not_carry_the_mark() -> None:
    alias = IfAddress(2, "10.1.1.1", 32, is_marked=True)
    request = rtnetlink.change_request(AddressChange(alias, is_new=False), 1, wants_ack=False)
    (message,) = netlink_messages.split(request)
    assert message.kind == rtnetlink.DEL_ADDRESS
    assert rtnetlink.address_in(message.body) == alias._replace(is_marked=False)


def test_a_neighbour_that_has_failed_does_not_answer() -> None:
    def body(state: int) -> bytes:
        head = struct.pack("=BxxxiHBB", 2, 3, state, 0, 0)
        return head + struct.pack("=HH4s", 8, 1, bytes([10, 1, 0, 9])) + struct.pack(
            "=HH6sxx", 10, 2, mac_bytes(FRIEND.mac)
        )  # fmt: skip

    stale, failed = 0x04, 0x20
    assert rtnetlink.neighbour_in(body(stale)) == FRIEND
    assert FRIEND.answers
    assert rtnetlink.neighbour_in(body(failed)) == FRIEND._replace(state="FAILED")
    assert not FRIEND._replace(state="FAILED").answers


def test_a_datagram_is_split_into_its_messages() -> None:
    alias = IfAddress(2, "10.1.1.1", 32, is_marked=True)
    one = rtnetlink.change_request(AddressChange(alias, is_new=True), 1, wants_ack=False)
    two = rtnetlink.dump_request(rtnetlink.GET_ADDRESS, 2)
    assert [message.seq for message in netlink_messages.split(one + two)] == [1, 2]
    assert netlink_messages.kind_of(one) == rtnetlink.NEW_ADDRESS
