"""rtnetlink messages about links (linux/if_link.h).

Each message is parsed by itself, so that one strange interface costs that interface only.
"""

import struct
from collections.abc import Iterable
from dataclasses import replace

from duravip_agent.codec import netlink_messages
from duravip_agent.codec.netlink_messages import DUMP, attribute, attributes
from duravip_agent.core.kernel_state import Link

GET_LINK = 18

_INFO = struct.Struct("=BxHiII")
_MAC, _NAME, _MTU, _LOWER, _MASTER, _STATE, _DETAILS, _EXT_MASK, _CARRIER = (
    1, 3, 4, 5, 10, 16, 18, 29, 33,
)  # fmt: skip
_KIND, _DATA, _PORT_KIND = 1, 2, 4
_WITHOUT_STATISTICS = 0x8
_UP, _LOOPBACK, _NOARP = 0x1, 0x8, 0x80
_VRF = "vrf"
"""Its ports keep their addresses; those of bridges, bonds and teams give them up."""
_MACVLANS, _MODE, _PASSTHRU = {"macvlan", "macvtap"}, 1, 8


def request(seq: int) -> bytes:
    """Ask for all links."""
    mask = attribute(_EXT_MASK, struct.pack("=I", _WITHOUT_STATISTICS))
    return netlink_messages.request(GET_LINK, DUMP, seq, bytes(_INFO.size) + mask)


def link_in(body: bytes) -> Link | None:
    """The link that a message speaks of; None: it is not understood."""
    if len(body) < _INFO.size:
        return None
    _, hardware, index, flags, _ = _INFO.unpack_from(body)
    values = attributes(body, _INFO.size)
    if not values.get(_NAME):
        return None
    details = attributes(values.get(_DETAILS, b""), 0)
    port_of = _text(details.get(_PORT_KIND, b""))
    return Link(
        index=index,
        name=_text(values[_NAME]),
        mac=values.get(_MAC, b"").hex(":"),
        mtu=_number(values.get(_MTU, b"")),
        is_up=bool(flags & _UP),
        has_carrier=bool(_number(values.get(_CARRIER, b""))),
        kind=_text(details.get(_KIND, b"")),
        is_loopback=bool(flags & _LOOPBACK),
        is_port=port_of not in {"", _VRF},
        has_no_arp=bool(flags & _NOARP),
        hardware=hardware,
        state=_number(values.get(_STATE, b"")),
    )


def relations_in(body: bytes) -> tuple[int, int]:
    """The numbers of a link's master, and of the link that it takes everything from; 0: none."""
    values = attributes(body, _INFO.size)
    details = attributes(values.get(_DETAILS, b""), 0)
    is_macvlan = _text(details.get(_KIND, b"")) in _MACVLANS
    data = attributes(details.get(_DATA, b""), 0) if is_macvlan else {}
    takes_all = _number(data.get(_MODE, b"")) == _PASSTHRU
    return _number(values.get(_MASTER, b"")), _number(values.get(_LOWER, b"")) * takes_all


def related(links: Iterable[tuple[Link, tuple[int, int]]]) -> tuple[Link, ...]:
    """The links, each with the one that takes what it hears."""
    listed = list(links)
    names = {link.index: link.name for link, _ in listed}
    takers = {taken: link.name for link, (_, taken) in listed if taken}
    return tuple(
        replace(
            link,
            is_port=link.is_port or link.index in takers,
            master=takers.get(link.index) or names.get(master, ""),
        )
        if master or link.index in takers
        else link
        for link, (master, _) in listed
    )


def _text(data: bytes) -> str:
    """A name may be any bytes: what is no UTF-8 is kept as Python keeps it in names of files."""
    return data.rstrip(b"\0").decode(errors="surrogateescape")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
