"""A node's recorder: `python -m lab.observer.recorder PLAN-FILE`.

It notes when the observer's questions come in on the card, and when the kernel's answers go out.
When it is told to stop it writes what is wished for, if a file with wishes is there by then.
"""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from lab.observer import frames
from lab.observer.frames import ARP, ARP_BODY, NS
from lab.observer.sockets import Incoming, opened
from lab.observer.traces import ANSWERED, DELIVERED, Passing, Recording, Wish

LOOK_EVERY: Final = 0.1
WORSE_THAN_OTHERS: Final = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to note, as the file says it."""

    addresses: list[str]
    nic: str
    askers: list[list[str]]
    wishes: str
    result: str


class Recorder:
    """Listens on the card of the machine that it runs in."""

    def __init__(self, plan: Plan) -> None:
        self._index = {ip_address(a).packed: i for i, a in enumerate(plan.addresses)}
        self._askers = {
            ip_address(address).packed: number
            for number, asker in enumerate(plan.askers)
            for address in asker
        }
        self._socket = opened(plan.nic, frames.questions_and_answers(), is_outgoing_heard=True)
        self._incoming = Incoming(self._socket)
        self.recording = Recording()

    def listen(self) -> None:
        """Take in all that has passed."""
        offset = time.time_ns() - time.monotonic_ns()
        for stamp, data, at in self._incoming.frames():
            found = self._read(data, at)
            if found:
                self.recording.note(Passing((stamp - offset) / 1e9, *found))

    def _read(self, data: bytearray, at: int) -> tuple[int, int, int] | None:
        if data[at + 12] << 8 | data[at + 13] == ARP:
            *_, operation, _, sender, _, target = ARP_BODY.unpack_from(data, at + 14)
            if operation == 1:
                return self._known(DELIVERED, target, sender)
            return self._known(ANSWERED, sender, target)
        kind, wanted = data[at + 54], bytes(data[at + 62 : at + 78])
        if kind == NS:
            return self._known(DELIVERED, wanted, bytes(data[at + 22 : at + 38]))
        return self._known(ANSWERED, wanted, bytes(data[at + 38 : at + 54]))

    def _known(self, kind: int, address: bytes, asker: bytes) -> tuple[int, int, int] | None:
        index, number = self._index.get(address), self._askers.get(asker)
        return None if index is None or number is None else (kind, index, number)


def main() -> None:
    """Record as the plan says."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    os.nice(WORSE_THAN_OTHERS)
    recorder, stopped = Recorder(plan), []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    print("started", flush=True)
    while not stopped:
        time.sleep(LOOK_EVERY)
        recorder.listen()
    recorder.listen()
    if Path(plan.wishes).exists():
        wishes = [Wish(*wish) for wish in json.loads(Path(plan.wishes).read_text())]
        part = Path(f"{plan.result}.part")
        part.write_text(json.dumps(recorder.recording.found(wishes)))
        part.rename(plan.result)


if __name__ == "__main__":
    main()
