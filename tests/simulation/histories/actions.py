"""Everything that can happen next in a long history, how often, and what it may cause."""

from collections.abc import Callable, Iterable, Mapping
from itertools import permutations, product
from typing import Any, NamedTuple

from duravip_api.reasons import MoveReason
from simulation.histories import troubles as t
from simulation.histories import wishes as w
from simulation.histories.cluster import PARTS
from simulation.histories.network import ADDRESSES, NODES, REPLICAS, SEGMENTS

LOST = frozenset({MoveReason.NODE_LOST})
DRAIN = frozenset({MoveReason.DRAIN})
NONE: frozenset[MoveReason] = frozenset()
FORGED = ("of nothing", "as it is", "of another boot", "of a later spec")
"""What a beat may say that somebody else has signed."""


class Kind(NamedTuple):
    """One sort of thing that happens."""

    act: Callable[..., None]
    choices: tuple[tuple[Any, ...], ...]
    weight: int = 1
    reasons: frozenset[MoveReason] = NONE
    """Why an address may leave the node that is named; where none is, any node."""


def _each(*choices: Iterable[Any]) -> tuple[tuple[Any, ...], ...]:
    return tuple(product(*choices))


KINDS: Mapping[str, Kind] = {
    "nothing happens": Kind(t.nothing, ((),), 3),
    "all is mended": Kind(t.mend, ((),), 3),
    "crashes": Kind(t.crash, _each(NODES), 2, LOST),
    "boots": Kind(t.boot, _each(NODES), 3),
    "agent is killed": Kind(t.kill, _each(NODES), 1, LOST),
    "agent leaves": Kind(t.leave, _each(NODES), 1, DRAIN),
    "agent stops": Kind(t.stop, _each(NODES), 1, DRAIN),
    "freezes": Kind(t.freeze, _each(NODES), 3, LOST),
    "thaws": Kind(t.thaw, _each(NODES), 3),
    "loop hangs": Kind(t.hang, _each(NODES), 1),
    "lies": Kind(t.lie, _each(NODES), 2, LOST | {MoveReason.EDITED}),
    "tells the truth": Kind(t.tell_truth, _each(NODES)),
    "has its goodbye forged": Kind(t.forge_goodbye, _each(NODES), 1, DRAIN),
    "is cut off": Kind(t.cut_off, _each((*NODES, *REPLICAS)), 4, LOST),
    "is reconnected": Kind(t.reconnect, _each((*NODES, *REPLICAS)), 3),
    "loses beats": Kind(t.lose_beats, _each(NODES), 1, LOST),
    "loses acknowledgements": Kind(t.lose_acks, _each(NODES)),
    "is spoken for": Kind(
        t.forge, tuple((*pair, what) for pair in permutations(NODES, 2) for what in FORGED), 3
    ),
    "has its key stolen": Kind(
        t.forge,
        tuple((node, node, what) for node in NODES for what in FORGED),
        1,
        frozenset({MoveReason.NODE_LOST, MoveReason.REPAIR_FAILED}),
    ),
    "segment splits": Kind(t.split, _each(SEGMENTS, NODES), 3),
    "segment heals": Kind(t.heal, _each(SEGMENTS), 3),
    "is unplugged": Kind(
        t.unplug,
        _each(NODES, SEGMENTS),
        1,
        frozenset({MoveReason.LINK_DOWN, MoveReason.NODE_LOST}),
    ),
    "is plugged in": Kind(t.plug, _each(NODES, SEGMENTS)),
    "loses probes": Kind(t.lose_probes, _each(SEGMENTS, (1, 2, 3)), 2),
    "kernel refuses": Kind(
        t.refuse, _each(NODES, ADDRESSES), 1, frozenset({MoveReason.REPAIR_FAILED})
    ),
    "kernel takes": Kind(t.take, _each(NODES)),
    "is made anew behind a stranger": Kind(t.stranger, _each("abd"), 2),
    "strangers go": Kind(t.stranger_goes, ((),)),
    "is held": Kind(t.hold, PARTS, 3, LOST),
    "goes on": Kind(t.release, PARTS, 2),
    "makes a step": Kind(t.step, PARTS, 3),
    "order changes": Kind(t.reorder, _each(range(6))),
    "operator pauses": Kind(t.pause, _each(REPLICAS), 3),
    "operator resumes": Kind(t.resume, _each(REPLICAS), 2),
    "operator restarts": Kind(t.restart, _each(REPLICAS), 1, LOST),
    "answer is lost": Kind(t.lose_answer, _each(REPLICAS)),
    "backup is made": Kind(t.back_up, ((),), 2),
    "backup is restored": Kind(
        t.restore, ((),), 1, frozenset(set(MoveReason) - {MoveReason.REPAIR_FAILED})
    ),
    "lease is deleted": Kind(t.delete_lease, ((),)),
    "plumbing is deleted": Kind(
        t.delete_plumbing, _each(NODES), 1, frozenset({MoveReason.EDITED})
    ),
    "prefers": Kind(w.prefer, _each("abd", (*NODES, "")), 3, frozenset({MoveReason.PREFERENCE})),
    "follows": Kind(w.follow, _each(("b", "10.1.1.1", "")), 1, frozenset({MoveReason.EDITED})),
    "gets another address": Kind(w.readdress, _each("d", ("fd00:1::64:4", "fd00:1::64:5"))),
    "is deleted": Kind(w.delete, _each("abcd")),
    "is made": Kind(w.create, _each("abcd"), 2),
    "fencing changes": Kind(w.fence, _each(("lan", "lan6", "wan"), ("Segment", "Strict"))),
    "is excluded": Kind(w.exclude, _each(NODES), 1, DRAIN),
    "is included": Kind(w.include, _each(NODES), 2),
    "node is deleted": Kind(w.forget_node, _each(NODES), 1, frozenset({MoveReason.EDITED})),
    "node is made": Kind(w.know_node, _each(NODES), 2),
    "is asked to move": Kind(w.move, _each("abd", NODES), 1, frozenset({MoveReason.REQUESTED})),
    "is asked away": Kind(w.give_away, _each("abd", NODES), 1, frozenset({MoveReason.REQUESTED})),
}

NEAR = frozenset({"n0", "o0"})
"""Of what can happen, half concerns these, so that more happens to one node in one history."""

PAUSES = (0, 1, 2, 3, 1, 5, 8, 20, 70)
"""Ticks that go by after something has happened."""
