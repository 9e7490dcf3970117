"""The frames that the observer sends, and how it reads those that come back. Pure."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
BROADCAST: Final = b"\xff" * 6
ECHO_ID: Final = 0xD0BA

ARP_BODY: Final = struct.Struct("!HHBBH6s4s6s4s")
ECHO: Final = struct.Struct("!BBHHHQQ")
"""Type, code, checksum, identifier, sequence, the sweep's number, when it was sent (ns)."""
NS, NA, ECHO6, ECHO6_REPLY = 135, 136, 128, 129
NA_OVERRIDE, NA_SOLICITED = 0x20, 0x40

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Asker:
    """Who the frames come from."""

    mac: bytes
    v4: IPv4Address
    v6: IPv6Address

    def source(self, version: int) -> Address:
        """Its address of that version."""
        return self.v4 if version == 4 else self.v6


def ask(asker: Asker, target: str) -> bytes:
    """Who has this address? An ARP request or a neighbour solicitation."""
    wanted = ip_address(target)
    if isinstance(wanted, IPv4Address):
        body = (1, IPV4, 6, 4, 1, asker.mac, asker.v4.packed, bytes(6), wanted.packed)
        return _ethernet(BROADCAST, asker.mac, ARP) + ARP_BODY.pack(*body)
    group = IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + wanted.packed[-3:])
    payload = struct.pack("!BBHI", NS, 0, 0, 0) + wanted.packed + b"\x01\x01" + asker.mac
    checksum = _checksum(_pseudo(asker.v6, group, len(payload)) + payload)
    payload = payload[:2] + struct.pack("!H", checksum) + payload[4:]
    head = _ethernet(b"\x33\x33" + group.packed[-4:], asker.mac, IPV6)
    return head + _ipv6(asker.v6, group, len(payload)) + payload


def announcement(mac: bytes, address: str) -> bytes:
    """Say that an address is at this MAC: a gratuitous ARP request, or an unsolicited NA."""
    wanted = ip_address(address)
    if isinstance(wanted, IPv6Address):
        return _unsolicited(mac, wanted)
    claimed = wanted.packed
    body = ARP_BODY.pack(1, IPV4, 6, 4, 1, mac, claimed, bytes(6), claimed)
    return _ethernet(BROADCAST, mac, ARP) + body


def _unsolicited(mac: bytes, address: IPv6Address) -> bytes:
    everybody = IPv6Address("ff02::1")
    payload = struct.pack("!BBHI", NA, 0, 0, NA_OVERRIDE << 24) + address.packed
    payload += b"\x02\x01" + mac
    checksum = _checksum(_pseudo(address, everybody, len(payload)) + payload)
    payload = payload[:2] + struct.pack("!H", checksum) + payload[4:]
    head = _ethernet(b"\x33\x33" + everybody.packed[-4:], mac, IPV6)
    return head + _ipv6(address, everybody, len(payload)) + payload


def ping_head(asker: Asker, target: str) -> bytes:
    """All of a ping before what `echo` gives; to nobody: its first six bytes are to be filled in.

    Until then it goes to the sender itself, which a bridge does not pass on.
    """
    wanted = ip_address(target)
    if isinstance(wanted, IPv4Address):
        size = 20 + ECHO.size
        fields = (0x45, 0, size, 0, 0x4000, 64, 1, 0, asker.v4.packed, wanted.packed)
        header = struct.pack("!BBHHHBBH4s4s", *fields)
        checksum = struct.pack("!H", _checksum(header))
        return _ethernet(asker.mac, asker.mac, IPV4) + header[:10] + checksum + header[12:]
    head = _ethernet(asker.mac, asker.mac, IPV6)
    return head + _ipv6(asker.v6, wanted, ECHO.size + 2)


def ping_tail(asker: Asker, target: str) -> bytes:
    """What comes after `echo`: two bytes that make one checksum fit every IPv6 destination."""
    wanted = ip_address(target)
    if isinstance(wanted, IPv4Address):
        return b""
    return struct.pack("!H", _checksum(_pseudo(asker.v6, wanted, ECHO.size + 2)))


def echo(version: int, sweep: int, now: int) -> bytes:
    """The middle of a ping: the same for all addresses of one version, new for each batch."""
    kind = 8 if version == 4 else ECHO6
    rest = (ECHO_ID, sweep & 0xFFFF, sweep, now)
    return ECHO.pack(kind, 0, _checksum(ECHO.pack(kind, 0, 0, *rest)), *rest)


def wanted_frames() -> list[tuple[int, int, int, int]]:
    """A classic BPF program: ARP, answers to our pings, neighbour advertisements.

    Each line is (operation, jump if true, jump if false, operand).
    """
    load_half, load_byte, equal, give = 0x28, 0x30, 0x15, 0x06
    return [
        (load_half, 0, 0, 12),
        (equal, 14, 0, ARP),
        (equal, 0, 6, IPV4),
        (load_byte, 0, 0, 23),
        (equal, 0, 10, 1),
        (load_byte, 0, 0, 34),
        (equal, 0, 8, 0),
        (load_half, 0, 0, 38),
        (equal, 7, 6, ECHO_ID),
        (equal, 0, 5, IPV6),
        (load_byte, 0, 0, 20),
        (equal, 0, 3, 58),
        (load_byte, 0, 0, 54),
        (equal, 2, 0, NA),
        (equal, 1, 0, ECHO6_REPLY),
        (give, 0, 0, 0),
        (give, 0, 0, 0xFFFF),
    ]


def questions_and_answers() -> list[tuple[int, int, int, int]]:
    """The same for ARP, neighbour solicitations and advertisements."""
    load_half, load_byte, equal, give = 0x28, 0x30, 0x15, 0x06
    return [
        (load_half, 0, 0, 12),
        (equal, 7, 0, ARP),
        (equal, 0, 5, IPV6),
        (load_byte, 0, 0, 20),
        (equal, 0, 3, 58),
        (load_byte, 0, 0, 54),
        (equal, 2, 0, NS),
        (equal, 1, 0, NA),
        (give, 0, 0, 0),
        (give, 0, 0, 0xFFFF),
    ]


def _ethernet(destination: bytes, source: bytes, kind: int) -> bytes:
    return destination + source + struct.pack("!H", kind)


def _ipv6(source: Address, destination: Address, size: int) -> bytes:
    return struct.pack("!IHBB", 6 << 28, size, 58, 255) + source.packed + destination.packed


def _pseudo(source: Address, destination: Address, size: int) -> bytes:
    return source.packed + destination.packed + struct.pack("!II", size, 58)


def _checksum(data: bytes) -> int:
    """The internet checksum."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
