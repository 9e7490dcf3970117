"""The observer's process in the client machine: `python -m lab.observer.process PLAN-FILE`.

It sleeps, takes in all that has come meanwhile, sends the next batch. Nothing is lost by not
looking at once: the kernel notes when each frame came.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final

from lab.observer import frames
from lab.observer.frames import (
    ARP,
    ARP_BODY,
    ECHO,
    ECHO6_REPLY,
    IPV4,
    NA_OVERRIDE,
    NA_SOLICITED,
    Asker,
)
from lab.observer.rounds import Rounds
from lab.observer.sockets import Incoming, Outgoing, buffer, dropped, opened
from lab.observer.tallies import TIMELY, Answer, Answers, Claims, as_facts

BATCH: Final = 64
"""The kernel queues a thousand frames per processor; a question comes out of four ports."""
STARTED_AFTER: Final = 3
"""Samples after which the owners of the beginning are known."""
LAST_WAIT: Final = 0.1
BETTER_THAN_OTHERS: Final = -10


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, as the file says it."""

    addresses: list[str]
    nic: str
    mac: str
    askers: list[list[str]]
    """Two (IPv4, IPv6) to ask as, in turn; pings come from the first."""
    ask_every: float
    ping_every: float
    limit: float
    result: str


class Watch:
    """Asks and pings, and keeps account of the answers."""

    def __init__(self, plan: Plan) -> None:
        mac = bytes.fromhex(plan.mac.replace(":", ""))
        self._askers = [Asker(mac, IPv4Address(v4), IPv6Address(v6)) for v4, v6 in plan.askers]
        self._socket = opened(plan.nic, frames.wanted_frames())
        self._incoming = Incoming(self._socket)
        parsed = [ip_address(address) for address in plan.addresses]
        self._index = {address.packed: index for index, address in enumerate(parsed)}
        self._parity = {a.source(v).packed: i for i, a in enumerate(self._askers) for v in (4, 6)}
        self._heads = [buffer(frames.ping_head(self._askers[0], a)) for a in plan.addresses]
        self._echo = {v: buffer(bytes(ECHO.size)) for v in (4, 6)}
        batches = [range(len(parsed))[i : i + BATCH] for i in range(0, len(parsed), BATCH)]
        self._asks = [[self._asking(a, plan, batch) for batch in batches] for a in self._askers]
        self._pings = [self._pinging(plan, batch, parsed) for batch in batches]
        self._claims, self._answers = Claims(len(parsed)), Answers(len(parsed))
        self._learnt = bytearray(len(parsed))
        self._samples = [-1] * len(batches)
        self._asked = [[0.0, 0.0] for _ in batches]
        """When each batch was last asked for by either asker."""
        start = time.monotonic()
        self._ask_rounds = Rounds(len(batches), plan.ask_every, start)
        self._ping_rounds = Rounds(len(batches), plan.ping_every, start)
        self._started, self._end = start, start + plan.limit
        self._stopping = False

    def run(self) -> dict[str, Any]:
        """Observe until told to stop; give what was seen."""
        signal.signal(signal.SIGTERM, self._stop)
        told = False
        while not self._stopping and (now := time.monotonic()) < self._end:
            self._listen()
            if now >= self._ask_rounds.due:
                self._ask(self._ask_rounds.take(now))
            if now >= self._ping_rounds.due:
                self._ping(self._ping_rounds.take(now))
            if not told and self._ask_rounds.count >= STARTED_AFTER:
                print("started", flush=True)
                told = True
            due = min(self._ask_rounds.due, self._ping_rounds.due)
            time.sleep(max(0.0, due - time.monotonic()))
        for batch in self._ping_rounds.remaining():
            self._ping(batch)
        time.sleep(LAST_WAIT)
        self._listen()
        self._answers.end(self._ping_rounds.count + 1)
        return {
            **as_facts(self._claims, self._answers),
            "started": self._started,
            "ended": time.monotonic(),
            "samples": self._ask_rounds.count + 1,
            "late": max(self._ask_rounds.late, self._ping_rounds.late),
            "dropped": dropped(self._socket),
        }

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _asking(self, asker: Asker, plan: Plan, batch: range) -> Outgoing:
        return Outgoing([[buffer(frames.ask(asker, plan.addresses[i]))] for i in batch])

    def _pinging(
        self, plan: Plan, batch: range, parsed: list[IPv4Address | IPv6Address]
    ) -> Outgoing:
        made = []
        for index in batch:
            tail = buffer(frames.ping_tail(self._askers[0], plan.addresses[index]))
            made.append([self._heads[index], self._echo[parsed[index].version], tail])
        return Outgoing(made)

    def _ask(self, batch: int) -> None:
        self._samples[batch] = self._ask_rounds.count
        self._asked[batch][self._ask_rounds.count % 2] = time.monotonic()
        self._asks[self._ask_rounds.count % 2][batch].send(self._socket)

    def _ping(self, batch: int) -> None:
        now = time.monotonic_ns()
        for version, shared in self._echo.items():
            shared.raw = frames.echo(version, self._ping_rounds.count, now)
        self._pings[batch].send(self._socket)

    def _listen(self) -> None:
        offset = time.time_ns() - time.monotonic_ns()
        for stamp, data, at in self._incoming.frames():
            moment = (stamp - offset) / 1e9
            kind = data[at + 12] << 8 | data[at + 13]
            if kind == ARP:
                self._on_arp(moment, data, at)
            elif kind == IPV4:
                self._on_answer(moment, data, slice(at + 26, at + 30), at + 34)
            elif data[at + 54] == ECHO6_REPLY:
                self._on_answer(moment, data, slice(at + 22, at + 38), at + 54)
            else:
                self._on_advertisement(moment, data, at)

    def _on_answer(self, moment: float, data: bytearray, source: slice, body: int) -> None:
        index = self._index.get(bytes(data[source]))
        *_, identifier, _, sweep, sent = ECHO.unpack_from(data, body)
        if index is not None and identifier == frames.ECHO_ID:
            self._answers.heard(index, sweep, sent / 1e9, moment)

    def _on_arp(self, moment: float, data: bytearray, at: int) -> None:
        *_, operation, mac, sender, _, target = ARP_BODY.unpack_from(data, at + 14)
        index = self._index.get(sender)
        if index is None:
            return
        if sender == target:
            self._learn(index, mac)
        elif operation == 2 and target in self._parity:
            self._on_claim(index, target, Answer(mac.hex(":"), moment, _hex(data, at, 42)))

    def _on_advertisement(self, moment: float, data: bytearray, at: int) -> None:
        index = self._index.get(bytes(data[at + 62 : at + 78]))
        if index is None:
            return
        flags, to = data[at + 58], bytes(data[at + 38 : at + 54])
        mac = bytes(data[at + 80 : at + 86])
        if flags & NA_SOLICITED and to in self._parity:
            self._on_claim(index, to, Answer(mac.hex(":"), moment, _hex(data, at, 86)))
        elif flags & NA_OVERRIDE and not flags & NA_SOLICITED:
            self._learn(index, mac)

    def _on_claim(self, index: int, asker: bytes, answer: Answer) -> None:
        batch, parity = index // BATCH, self._parity[asker]
        asked = self._asked[batch][parity]
        if answer.time - asked > TIMELY:
            return  # no answer: an owner that announces itself writes to known neighbours as well
        latest = self._samples[batch]
        sample = latest if latest % 2 == parity else latest - 1
        self._claims.heard(index, sample, answer, asked)
        if not self._learnt[index]:
            self._learn(index, bytes.fromhex(answer.mac.replace(":", "")))

    def _learn(self, index: int, mac: bytes) -> None:
        """From now on its pings go there. Answers to our questions teach only what was unknown."""
        self._learnt[index] = 1
        ctypes.memmove(self._heads[index], mac, len(mac))


def _hex(data: bytearray, at: int, length: int) -> str:
    return data[at : at + length].hex()


def main() -> None:
    """Observe as the plan says, then write the result at once and whole."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    os.nice(BETTER_THAN_OTHERS)
    watch = Watch(plan)
    gc.disable()  # a pause would be taken for lateness, and nothing here has cycles
    seen = watch.run()
    result = Path(plan.result)
    unfinished = result.with_suffix(".part")
    unfinished.write_text(json.dumps(seen))
    unfinished.rename(result)


if __name__ == "__main__":
    main()
