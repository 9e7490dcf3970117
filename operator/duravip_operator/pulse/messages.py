"""What the operator and its pulse tell each other: one JSON object a line.

To the pulse:   {"expect": [node…]}, {"tell": {"leader", "epoch", "generations": {node: n}}}
                and once, first of all, {"resume": {node: hearing}}
From the pulse: {"hearing": {node: hearing or null}, "beats": {node: [boot, generation, digest]}},
                the differences to what was said before; {"note": sentence} for the log.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from duravip_api.beats import Beat
from duravip_operator.core.snapshot import Hearing

Message = dict[str, Any]


class Heard(NamedTuple):
    """What the last beat of an agent said."""

    boot: str
    generation: int
    digest: str


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it goes through the pipe."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def lines(buffer: bytearray) -> list[Message]:
    """Take every message that is whole out of what has come through the pipe."""
    *whole, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    return [json.loads(one) for one in whole]


class Outgoing:
    """Turns what is known into messages that say only what has changed."""

    def __init__(self, hearing: Mapping[str, Hearing]) -> None:
        self._hearing = dict(hearing)
        self._beats: dict[str, Heard] = {}

    def changes(self, hearing: dict[str, Hearing], beats: list[Beat]) -> Message | None:
        """The message about this state of things; None when nothing is new."""
        heard = {b.node: Heard(b.boot, b.generation, b.digest) for b in beats}
        said: Message = {}
        if hearing != self._hearing:
            gone = self._hearing.keys() - hearing.keys()
            said["hearing"] = dict.fromkeys(gone) | {
                name: now.value for name, now in hearing.items() if self._hearing.get(name) != now
            }
        if heard != self._beats:
            said["beats"] = {
                name: list(now) for name, now in heard.items() if self._beats.get(name) != now
            }
        self._hearing, self._beats = hearing, heard
        return said or None
