"""Real kernels are asked who has an address."""

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from duravip_agent.codec.frames import ARP, announcement_frame
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.probing import ProbeResult, ProbeSpec
from duravip_agent.core.send_queue import Announcement
from duravip_agent.segment.prober import Prober
from duravip_agent.segment.raw_socket import MAX_FRAMES_PER_CALL, RawSocket
from netns.segment import NIC, Segment

HELD, ABSENT = "10.1.1.7", "10.1.2.7"
HELD_V6, ABSENT_V6 = "fd00:1::64:7", "fd00:1::65:7"
ARP_REPLY = b"\xff" * 6 + b"\2\0\0\0\0\7\x08\x06\0\1\x08\0\6\4\0\2%b%b" + bytes(10)
"""To somebody without an address."""

MANY = [f"10.1.{64 + i // 256}.{i % 256}" for i in range(3413)]


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with Segment("asker", "holder", "bystander") as segment:
        addresses = [f"addr add {address}/32 dev {NIC}" for address in (HELD, *MANY)]
        segment.ip("holder", *addresses, f"addr add {HELD_V6}/128 dev {NIC} nodad")
        yield segment


@pytest.fixture
def prober(segment: Segment) -> Iterator[Prober]:
    """One that works inside the machine `asker`."""
    with segment.inside("asker"):
        prober = Prober(NIC)
        yield prober
        prober.close()


@pytest.fixture
def muting(segment: Segment) -> Iterator[Callable[[list[str]], None]]:
    yield lambda addresses: segment.mute("holder", addresses)
    segment.run("holder", "nft", "delete", "table", "netdev", "fence")


def asked(prober: Prober, *addresses: str) -> ProbeResult:
    return prober.probe(ProbeSpec(addresses))


@pytest.mark.parametrize("address", [HELD, HELD_V6])
def test_a_kernel_answers_although_no_process_runs_there(
    segment: Segment, prober: Prober, address: str
) -> None:
    assert asked(prober, address) == ProbeResult({address: (segment.mac("holder"),)})


@pytest.mark.parametrize("address", [HELD, HELD_V6])
def test_it_answers_within_a_few_milliseconds(prober: Prober, address: str) -> None:
    times = []
    for _ in range(20):
        began = time.monotonic()
        assert asked(prober, address).answered
        times.append(time.monotonic() - began)
    assert min(times) < 0.005


@pytest.mark.parametrize("address", [ABSENT, ABSENT_V6])
def test_an_address_that_nobody_has_is_silent(prober: Prober, address: str) -> None:
    began = time.monotonic()
    assert asked(prober, address) == ProbeResult(silent=frozenset({address}))
    assert 0.03 <= time.monotonic() - began < 1.0


def test_a_muted_holder_is_silent(prober: Prober, muting: Callable[[list[str]], None]) -> None:
    muting([HELD, HELD_V6])
    findings = asked(prober, HELD, HELD_V6, MANY[0])
    assert findings.silent == {HELD, HELD_V6}
    assert findings.answered.keys() == {MANY[0]}


def test_thousands_are_asked_about_in_one_go(prober: Prober) -> None:
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert asked(prober, *MANY).answered.keys() == set(MANY)
        times.append(time.monotonic() - began)
    assert min(times) < 0.2


def test_thousands_are_silent_in_one_go(
    prober: Prober, muting: Callable[[list[str]], None]
) -> None:
    muting(["10.1.64.0/18"])
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert asked(prober, *MANY) == ProbeResult(silent=frozenset(MANY))
        times.append(time.monotonic() - began)
    assert min(times) < 0.4


def test_nobody_learns_anything_from_a_probe(segment: Segment, prober: Prober) -> None:
    known = f"neigh replace {HELD} lladdr {segment.mac('holder')} dev {NIC} nud stale"
    segment.ip("bystander", known)
    before = segment.run("bystander", "ip", "neigh")
    asked(prober, HELD, HELD_V6, ABSENT, ABSENT_V6)
    assert segment.run("bystander", "ip", "neigh") == before
    assert segment.mac("asker") not in segment.run("holder", "ip", "neigh")
    assert HELD not in segment.run("asker", "ip", "neigh")


def test_announcements_of_others_are_no_answers(segment: Segment, prober: Prober) -> None:
    place, mac = Placement(NIC, 32), b"\2\0\0\0\0\7"
    calls = [Announcement(place, ABSENT, is_reply=is_reply) for is_reply in (False, True)]
    with segment.card("bystander") as card:
        found: list[ProbeResult] = []
        prober.begin(ProbeSpec((ABSENT,)), found.append)
        while not found:
            for call in calls:
                card.send(announcement_frame(call, mac))
            prober.advance()
    assert found == [ProbeResult(silent=frozenset({ABSENT}))]


def test_an_answer_from_before_the_question_does_not_count(
    segment: Segment, prober: Prober
) -> None:
    findings: list[ProbeResult] = []
    prober.begin(ProbeSpec((HELD, ABSENT)), findings.append)
    prober.advance()
    segment.mute("holder", [HELD])
    try:
        prober.begin(ProbeSpec((HELD,)), findings.append)
        while len(findings) < 2:
            prober.advance()
    finally:
        segment.run("holder", "nft", "delete", "table", "netdev", "fence")
    assert [f.silent for f in findings] == [{ABSENT}, {HELD}]


def test_questions_are_asked_side_by_side(prober: Prober) -> None:
    found: list[ProbeResult] = []
    for address in (ABSENT, HELD, HELD_V6):
        prober.begin(ProbeSpec((address,)), found.append)
    began = time.monotonic()
    while len(found) < 3:
        prober.advance()
    assert time.monotonic() - began < 1.0
    assert found[-1] == ProbeResult(silent=frozenset({ABSENT}))
    assert {address for f in found for address in f.answered} == {HELD, HELD_V6}


@pytest.mark.parametrize("address", [ABSENT, ABSENT_V6])
def test_on_a_link_that_is_down_nobody_is_called_silent(
    segment: Segment, prober: Prober, address: str
) -> None:
    asked(prober, address)
    segment.ip("asker", f"link set {NIC} down")
    assert asked(prober, address) == ProbeResult(unasked=frozenset({address}))
    segment.ip("asker", f"link set {NIC} up")
    segment.wait_for_link("asker")
    assert asked(prober, address).silent == {address}


def test_neither_is_anybody_when_the_cable_is_out(segment: Segment, prober: Prober) -> None:
    segment.ip("bridge", "link set asker down")
    assert asked(prober, HELD) == ProbeResult(unasked=frozenset({HELD}))
    segment.ip("bridge", "link set asker up")
    segment.wait_for_link("asker")
    assert asked(prober, HELD).answered


def test_a_link_that_fails_while_we_ask_makes_silence_worthless(
    segment: Segment, prober: Prober
) -> None:
    found: list[ProbeResult] = []
    prober.begin(ProbeSpec((ABSENT,)), found.append)
    prober.advance()
    segment.ip("bridge", "link set asker down")
    while not found:
        prober.advance()
    segment.ip("bridge", "link set asker up")
    segment.wait_for_link("asker")
    assert found == [ProbeResult(unasked=frozenset({ABSENT}))]


def test_an_interface_that_is_made_anew_is_asked_on_again(
    segment: Segment, prober: Prober
) -> None:
    assert asked(prober, HELD).answered
    segment.ip("bridge", "link del asker")
    assert asked(prober, HELD) == ProbeResult(unasked=frozenset({HELD}))
    segment.plug("asker")
    assert asked(prober, HELD).answered
    assert asked(prober, ABSENT).silent


def test_an_interface_that_is_made_anew_while_we_ask_makes_silence_worthless(
    segment: Segment, prober: Prober
) -> None:
    found: list[ProbeResult] = []
    prober.begin(ProbeSpec((ABSENT,)), found.append)
    prober.advance()
    segment.ip("bridge", "link del asker")
    segment.plug("asker")
    while not found:
        prober.advance()
    assert found == [ProbeResult(unasked=frozenset({ABSENT}))]


def test_answers_that_there_was_no_room_for_make_silence_worthless(
    segment: Segment, prober: Prober
) -> None:
    with segment.inside("bystander"):
        flooding = RawSocket(NIC, ARP)
    answer = ARP_REPLY % (b"\2\0\0\0\0\7", ip_address(HELD).packed)
    found: list[ProbeResult] = []
    prober.begin(ProbeSpec((HELD, ABSENT)), found.append)
    prober.advance()
    for _ in range(60):
        assert flooding.send([answer] * MAX_FRAMES_PER_CALL) == MAX_FRAMES_PER_CALL
    flooding.close()
    while not found:
        prober.advance()
    assert not found[0].silent
    assert found[0].unasked == {ABSENT}
