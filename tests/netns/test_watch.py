"""A watcher hears what other machines say about addresses of ours, and nothing else."""

import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from duravip_agent.codec.frames import ARP, announcement_frame, mac_text, probe_frame
from duravip_agent.core.address_conflicts import Claim
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import Announcement
from duravip_agent.segment.conflict_checks import REOPEN_EVERY_S, ClaimWatcher, HeldAddresses
from duravip_agent.segment.raw_socket import RawSocket
from netns.segment import NIC, Segment

OURS, OURS_V6 = "10.1.1.7", "fd00:1::64:7"
NEAR, FAR = "10.1.1.6", "10.9.9.9"
MARKS = [f"10.1.1.{i}" for i in range(100, 200)]
"""Held as well, and each claimed once, to know that all claims before it have been heard."""

FOREIGN, MARKER = bytes.fromhex("0200000000fe"), bytes.fromhex("020000000099")
PLACE = Placement(NIC, 32)
PATIENCE = 5.0
RATE, SECONDS = 10_000, 2.0


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with Segment("watcher", "other") as segment:
        yield segment


def frame(address: str, mac: bytes = FOREIGN, *, is_reply: bool = False) -> bytes:
    return announcement_frame(Announcement(PLACE, address, is_reply), mac)


class Heard:
    """A watcher, and a card of another machine that it hears."""

    def __init__(self, segment: Segment) -> None:
        self.claims: SimpleQueue[tuple[Claim, ...]] = SimpleQueue()
        self.watcher = ClaimWatcher(self.claims.put)
        with segment.inside("watcher"):
            self.watcher.start()
        self.card = segment.card("other")
        self.marks = iter(MARKS)

    def close(self) -> None:
        self.watcher.stop()
        self.card.close()

    def hold(self, *addresses: str, macs: frozenset[str] = frozenset()) -> None:
        """Hold these; comes back when the watcher listens."""
        self.watcher.set_held(HeldAddresses({NIC: frozenset({*addresses, *MARKS})}, macs))
        self.wait()

    def wait(self) -> None:
        """Wait until the watcher hears the segment."""
        deadline = time.monotonic() + PATIENCE
        while self.claims.empty():
            assert time.monotonic() < deadline
            self.card.send(frame(next(self.marks), MARKER))
            time.sleep(0.02)
        self.so_far()

    def so_far(self) -> list[Claim]:
        """All that was passed on until now."""
        mark, found = next(self.marks), list[Claim]()
        self.card.send(frame(mark, MARKER))
        while mark not in {claim.address for claim in found}:
            found += self.claims.get(timeout=PATIENCE)
        return [claim for claim in found if claim.address not in MARKS]


@pytest.fixture
def heard(segment: Segment) -> Iterator[Heard]:
    heard = Heard(segment)
    yield heard
    heard.close()


def addresses(claims: list[Claim]) -> list[str]:
    return [claim.address for claim in claims]


@pytest.mark.parametrize(
    "said",
    [frame(OURS), frame(OURS, is_reply=True), frame(OURS_V6)],
    ids=["request", "reply", "advertisement"],
)
def test_another_hosts_announcement_of_our_address_is_a_claim(heard: Heard, said: bytes) -> None:
    heard.hold(OURS, OURS_V6)
    heard.card.send(said)
    (claim,) = heard.claims.get(timeout=PATIENCE)
    assert (claim.interface, claim.mac) == (NIC, mac_text(FOREIGN))
    assert claim.address in {OURS, OURS_V6}


def test_it_is_heard_within_five_milliseconds(heard: Heard) -> None:
    many = [f"10.1.1.{i}" for i in range(20)]
    heard.hold(*many)
    times = []
    for address in many:
        began = time.monotonic()
        heard.card.send(frame(address))
        heard.claims.get(timeout=PATIENCE)
        times.append(time.monotonic() - began)
    assert min(times) < 0.005


def test_a_kernel_that_has_our_address_too_is_heard(segment: Segment, heard: Heard) -> None:
    heard.hold(OURS)
    segment.ip("other", f"addr add {OURS}/32 dev {NIC}", f"neigh flush dev {NIC}")
    segment.run("other", "ping", "-c1", "-W1", "-I", OURS, "10.1.0.1")
    segment.ip("other", f"addr del {OURS}/32 dev {NIC}")
    found = heard.so_far()
    assert {(claim.address, claim.mac) for claim in found} == {(OURS, segment.mac("other"))}


def test_what_we_say_ourselves_is_not_heard(segment: Segment, heard: Heard) -> None:
    heard.hold(OURS, OURS_V6)
    mac = bytes.fromhex(segment.mac("watcher").replace(":", ""))
    with segment.card("watcher") as ours:
        for card in (ours, heard.card):  # the second: a switch that sends it back
            card.send(frame(OURS, mac))
            card.send(frame(OURS, mac, is_reply=True))
            card.send(frame(OURS_V6, mac))
    assert heard.so_far() == []


def test_another_card_of_ours_on_the_segment_is_no_foreigner(heard: Heard) -> None:
    heard.hold(OURS, OURS_V6, macs=frozenset({mac_text(FOREIGN)}))
    heard.card.send(frame(OURS))
    heard.card.send(frame(OURS_V6))
    assert heard.so_far() == []


def test_other_addresses_and_mere_questions_are_no_claims(heard: Heard) -> None:
    heard.hold(OURS, OURS_V6)
    for address in (NEAR, FAR, "fd00:1::64:8", "fd00:2::1"):
        heard.card.send(frame(address))
    for address in (OURS, OURS_V6):
        heard.card.send(probe_frame(address, FOREIGN))
    assert heard.so_far() == []


def test_what_is_held_can_be_replaced_at_any_time(heard: Heard) -> None:
    heard.hold(OURS)
    heard.hold(NEAR)
    heard.card.send(frame(OURS))
    heard.card.send(frame(NEAR))
    assert addresses(heard.so_far()) == [NEAR]
    heard.hold(OURS, NEAR, FAR)
    for address in (OURS, FAR):
        heard.card.send(frame(address))
    assert addresses(heard.so_far()) == [OURS, FAR]


def test_it_hears_again_after_the_link_was_down(segment: Segment, heard: Heard) -> None:
    heard.hold(OURS)
    segment.ip("watcher", f"link set {NIC} down")
    segment.ip("watcher", f"link set {NIC} up")
    heard.wait()
    heard.card.send(frame(OURS))
    assert addresses(heard.so_far()) == [OURS]


@pytest.mark.parametrize("is_told", [True, False])
def test_it_hears_on_an_interface_that_was_made_anew(
    segment: Segment, heard: Heard, is_told: bool
) -> None:
    heard.hold(OURS)
    segment.ip("bridge", "link del watcher")
    segment.plug("watcher")
    began = time.monotonic()
    if is_told:
        heard.hold(OURS)
    else:
        heard.wait()
    assert time.monotonic() - began < (0.5 if is_told else 3 * REOPEN_EVERY_S)
    heard.card.send(frame(OURS))
    assert addresses(heard.so_far()) == [OURS]


def test_nothing_is_heard_where_nothing_is_held(heard: Heard) -> None:
    heard.hold(OURS)
    before = heard.watcher.frames
    heard.watcher.set_held(HeldAddresses())
    heard.watcher.set_held(HeldAddresses({"eth9": frozenset({OURS})}))
    heard.card.send(frame(OURS))
    heard.hold(NEAR)
    heard.card.send(frame(OURS))
    assert heard.so_far() == []
    assert heard.watcher.frames - before < 100


def flood(segment: Segment, frames: list[bytes]) -> float:
    """RATE frames a second; how long it took."""
    with segment.inside("other"):
        sock = RawSocket(NIC, ARP)
    began = time.monotonic()
    for turn in range(int(100 * SECONDS)):
        assert sock.send(frames[: RATE // 100]) == RATE // 100
        time.sleep(max(0.0, began + (turn + 1) / 100 - time.monotonic()))
    sock.close()
    return time.monotonic() - began


def used(heard: Heard) -> float:
    """Seconds of CPU that the watcher's thread has used."""
    assert heard.watcher.thread.ident
    return time.clock_gettime(time.pthread_getcpuclockid(heard.watcher.thread.ident))


def test_a_flood_about_other_addresses_costs_nothing(segment: Segment, heard: Heard) -> None:
    heard.hold(OURS)
    frames, before = heard.watcher.frames, used(heard)
    took = flood(segment, [frame(f"10.9.{i // 256}.{i % 256}") for i in range(RATE // 100)])
    assert heard.watcher.frames == frames
    assert (used(heard) - before) / took < 0.02


def test_of_a_flood_about_our_address_the_loop_hears_ten_a_second(
    segment: Segment, heard: Heard
) -> None:
    heard.hold(OURS)
    before, held_back = heard.watcher.frames, heard.watcher.throttle.held_back
    took = flood(segment, [frame(OURS)] * (RATE // 100))
    found = heard.so_far()
    assert heard.watcher.frames - before >= RATE * SECONDS
    assert 5 * took < len(found) <= 10 * took + 2
    assert heard.watcher.throttle.held_back - held_back == RATE * SECONDS - len(found)
    assert heard.watcher.lost == 0
