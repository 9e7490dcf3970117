"""Frames of the segment: ARP and neighbour discovery, as any host there may send them."""

import time

from duravip_agent.codec.frames import announcement_frame, claim_in, probe_frame
from duravip_agent.core.address_conflicts import Claim, ClaimThrottle, Conflicts
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.probing import ProbeRun, ProbeSpec
from duravip_agent.core.send_queue import Announcement
from duravip_api.addresses import parse_address
from fuzz.registry import Target, target

MAC = bytes.fromhex("020000000001")
HELD = ("10.1.1.1", "fd00::1")


def _examples() -> tuple[bytes, ...]:
    where = Placement("eth1", 32)
    calls = [
        Announcement(where, address, is_reply=reply) for address in HELD for reply in (False, True)
    ]
    return (
        *(announcement_frame(call, MAC) for call in calls),
        *(probe_frame(address, MAC) for address in HELD),
    )


@target("frames")
def frames() -> Target:
    """What a raw socket hands to the watch and to a question that is open."""
    sieve, conflicts = ClaimThrottle(), Conflicts()
    asking = ProbeRun(ProbeSpec(HELD), 0.0)

    def check(data: bytes) -> str:
        address, mac = claim_in(data)
        is_whole = str(parse_address(address)) == address
        assert is_whole
        asking.add_answer(address, mac)
        asking.result(0.0)
        if address not in HELD:
            return "of another address"
        claim = Claim(address, "eth1", mac, time.monotonic())
        if sieve.passes(claim):
            conflicts.add([claim])
        return f"of ours, MAC of {len(mac)}"

    return Target(check, _examples())
