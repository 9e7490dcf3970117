"""What the operator and its pulse tell each other: one JSON object a line.

To the pulse, first of all, the private key of this replica, and what an earlier process knew:
    {"secret": key}
    {"resume": {"hearing", "silences", "witnessed"}}, as they come from the pulse
and then, each only when it has changed, and of what has parts only those that have:
    {"expect": [node…]}
    {"agents": {node: [boot, public key, whether the shared key will do] or null}}
    {"lead": {"leader", "epoch", "since"}}       since: when that began
    {"until": time}                              when it ends unless it is prolonged
    {"generations": {node: n or null}}
    {"roster": {node: entry or null}}            see `probe_targets.changes_to_json`
or, whenever somebody wants to know:
    {"ask": "heard"}                             when each node was last heard

From the pulse, the differences to what was said before:
    {"hearing": {node: hearing or null}, "beats": {node: [boot, generation, digest, stopped]},
     "silences": {node: [gone, answering, is_muted, is_lasting, since] or null},
     "witnessed": {node: [interface…] or null}, "sights": {verdict: count},
     "drops": {reason: count}}
    {"note": sentence}                           for the log
    {"heard": {node: time}, "now": time}         the answer
"""

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from duravip_api.heartbeat import Heartbeat
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Liveness, Suspicion

Message = dict[str, Any]
Value = TypeVar("Value")


class PulseView(NamedTuple):
    """What the pulse knows at one moment. Replaced, never changed."""

    hearing: Mapping[str, Liveness] = MappingProxyType({})
    """Of every node that is expected, or was heard."""
    silences: Mapping[str, Suspicion] = MappingProxyType({})
    """Of every one of them that is SILENT."""
    witnessed: Mapping[str, frozenset[str]] = MappingProxyType({})
    """The interfaces on whose segment another node has lately heard this one answer."""


def encode_line(message: Mapping[str, Any]) -> bytes:
    """A message as it goes through the pipe."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode_lines(buffer: bytearray) -> list[Message]:
    """Take every message that is whole out of what has come through the pipe."""
    if b"\n" not in buffer:
        return []
    *whole, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    return [json.loads(one) for one in whole]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Message:
    """What has changed; None for what is no longer there."""
    found: Message = dict.fromkeys(before.keys() - after.keys())
    return found | {name: now for name, now in after.items() if before.get(name) != now}


def view_to_json(view: PulseView) -> Message:
    """A View as JSON can say it."""
    return {
        "hearing": {name: now.value for name, now in view.hearing.items()},
        "silences": {name: suspicion_to_json(now) for name, now in view.silences.items()},
        "witnessed": {name: sorted(now) for name, now in view.witnessed.items()},
    }


def apply_changes(view: PulseView, message: Message) -> PulseView:
    """The View once a message has come that tells what is new."""
    hearing = _apply(view.hearing, message.get("hearing"), Liveness)
    silences = _apply(view.silences, message.get("silences"), suspicion_from_json)
    return PulseView(
        hearing, silences, _apply(view.witnessed, message.get("witnessed"), frozenset)
    )


def _apply(
    before: Mapping[str, Value], changes: Message | None, read: Callable[[Any], Value]
) -> Mapping[str, Value]:
    if not changes:
        return before
    kept = {name: value for name, value in before.items() if name not in changes}
    return kept | {name: read(said) for name, said in changes.items() if said is not None}


def suspicion_to_json(silence: Suspicion) -> list[Any]:
    """A Silence as JSON can say it."""
    gone, answering = sorted(silence.unreachable_on), sorted(silence.reachable_on)
    return [gone, answering, silence.is_self_fenced, silence.is_lasting, silence.last_heard]


def suspicion_from_json(said: list[Any]) -> Suspicion:
    """The Silence that was said so."""
    gone, answering, is_muted, is_lasting, since = said
    return Suspicion(frozenset(gone), frozenset(answering), is_muted, is_lasting, since)


class ChangeEncoder:
    """Turns what is known into messages that say only what has changed."""

    def __init__(self, known: PulseView) -> None:
        """`known` is what the operator still has from an earlier process."""
        self._view = known
        self._beats: dict[str, HeartbeatState] = {}

    def changes(self, view: PulseView, beats: Iterable[Heartbeat]) -> Message | None:
        """The message about this state of things; None when nothing is new."""
        heard = {b.node: HeartbeatState(b.boot, b.generation, b.digest, b.stopped) for b in beats}
        before, self._view = self._view, view
        told, self._beats = self._beats, heard
        hearing = differences(before.hearing, view.hearing)
        silences = differences(before.silences, view.silences)
        witnessed = differences(before.witnessed, view.witnessed)
        said: Message = {
            "hearing": {name: now and now.value for name, now in hearing.items()},
            "silences": {name: now and suspicion_to_json(now) for name, now in silences.items()},
            "witnessed": {n: None if now is None else sorted(now) for n, now in witnessed.items()},
            "beats": {name: list(now) for name, now in heard.items() if told.get(name) != now},
        }
        return {what: changed for what, changed in said.items() if changed} or None
