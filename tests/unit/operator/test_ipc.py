"""What goes through the pipe between the operator and its pulse."""

from duravip_api.heartbeat import Heartbeat
from duravip_api.nodeplumbing import Nic
from duravip_operator.core.snapshot import Liveness, Placement, Plumbing, Suspicion
from duravip_operator.pulse import probe_targets as roster
from duravip_operator.pulse.ipc import (
    ChangeEncoder,
    PulseView,
    apply_changes,
    decode_lines,
    differences,
    encode_line,
    view_to_json,
)
from duravip_operator.pulse.probe_targets import ProbeTargets, Segment

ETH1 = frozenset({"eth1"})
SILENCE = Suspicion(unreachable_on=ETH1, is_lasting=True, last_heard=3.5)


def test_only_what_has_changed_is_said() -> None:
    known = PulseView({"n1": Liveness.ALIVE, "n2": Liveness.WARMING_UP}, {}, {"n1": ETH1})
    outgoing = ChangeEncoder(known)
    assert outgoing.changes(known, []) is None
    beat = Heartbeat("n1", "a", 1, 7, "d")
    after = PulseView({"n1": Liveness.SUSPECT}, {"n1": SILENCE}, {})
    assert outgoing.changes(after, [beat]) == {
        "hearing": {"n1": "silent", "n2": None},
        "silences": {"n1": [["eth1"], [], False, True, 3.5]},
        "witnessed": {"n1": None},
        "beats": {"n1": ["a", 7, "d", False]},
    }
    assert outgoing.changes(after, [beat]) is None


def test_the_other_side_comes_to_know_the_same() -> None:
    before = PulseView(
        {"n1": Liveness.ALIVE, "n2": Liveness.WARMING_UP}, {}, {"n1": ETH1, "n2": ETH1}
    )
    after = PulseView({"n1": Liveness.SUSPECT}, {"n1": SILENCE}, {"n1": frozenset()})
    message = ChangeEncoder(before).changes(after, [])
    assert message is not None
    assert apply_changes(before, message) == after
    assert apply_changes(PulseView(), view_to_json(after)) == after


def test_messages_come_whole_out_of_a_pipe_that_cuts_them() -> None:
    data = encode_line({"expect": ["n1"]}) + encode_line({"note": "x"})
    buffer = bytearray(data[:9])
    assert decode_lines(buffer) == []
    buffer += data[9:]
    assert decode_lines(buffer) == [{"expect": ["n1"]}, {"note": "x"}]
    assert not buffer


def test_what_is_gone_is_said_to_be() -> None:
    assert differences({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": None, "b": 3, "c": 4}


def test_a_node_is_looked_for_where_its_interfaces_work() -> None:
    def nic(name: str, *addresses: str, carrier: bool = True) -> Nic:
        mac = f"02:00:00:00:00:{name[-1]}A"
        up = {"up": True, "carrier": carrier}
        return Nic(name=name, index=1, mac=mac, addresses=list(addresses), **up)

    many = frozenset(f"10.1.1.{n}" for n in range(10, 60))
    plumbing = Plumbing(
        "n1",
        grants={Placement("eth1", 32): many, Placement("eth2", 32): frozenset({"10.2.1.1"})},
        served=frozenset({"10.1.1.50", "10.1.1.40"}),
        nics={
            "eth1": nic("eth1", "fe80::1/64", "fd00::1/64", "10.1.0.1/16"),
            "eth2": nic("eth2", "10.2.0.1/16", carrier=False),
            "eth3": nic("eth3"),
        },
    )
    entry = roster.targets_of(plumbing)
    first = ("10.1.1.40", "10.1.1.50", *(f"10.1.1.{n}" for n in range(10, 16)))
    macs, networks = ("02:00:00:00:00:1a",), ("10.1.0.0/16", "fd00::/64")
    assert entry == {
        Segment("eth1", 4): ProbeTargets(("10.1.0.1",), first, macs, networks),
        Segment("eth1", 6): ProbeTargets(("fd00::1", "fe80::1"), (), macs, networks),
    }
    changes = {"n1": entry, "n2": None}
    assert roster.changes_from_json(roster.changes_to_json(changes)) == changes
