"""Start the observer in the client machine, and read what it has seen."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.errors import LabError
from lab.layout import CLIENT, CLIENT_NICS, mac
from lab.machines import Machine
from lab.observer.results import Sight
from lab.observer.traces import Wish, wishes
from lab.processes import Process, wait_for

TESTS: Final = Path(__file__).parents[2]
NIC: Final = CLIENT_NICS[0].name
ASKERS: Final = (("10.1.0.100", "fd00:1::100"), ("10.1.0.101", "fd00:1::101"))
"""The client itself, and somebody who is not there; see `tallies.Claims`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the observer asks for and pings each address, in seconds."""

    ask: float
    ping: float
    """0 = not at all."""
    limit: float = 600
    """It ends by itself after so long."""

    @classmethod
    def finest(cls, addresses: int) -> Self:
        """All that one processor can do: every 20 ms and 5 ms for up to 100 addresses."""
        return cls(ask=max(0.02, addresses / 15_000), ping=max(0.005, addresses / 20_000))

    @classmethod
    def gentle(cls, addresses: int) -> Self:
        """The same for up to 20; beyond, what leaves the processors to those that are watched."""
        finest = cls.finest(addresses)
        ask, ping = min(addresses / 2_500, 0.1), min(addresses / 4_000, 0.1)
        return cls(ask=max(finest.ask, ask), ping=max(finest.ping, ping))


class Observation:
    """`with` it, something happens to the addresses; after it, `sight` tells what was seen."""

    def __init__(
        self,
        client: Machine,
        machines: Sequence[Machine],
        addresses: Sequence[str],
        pace: Pace,
        recorded: Sequence[Machine] = (),
    ) -> None:
        """Those that are `recorded` note on their own cards what passes there."""
        if not addresses:
            raise LabError("there is no address to observe")
        if pace.ask <= 0:
            raise LabError("an observer must ask: it learns from the answers where to ping")
        self.addresses = tuple(addresses)
        self.sight: Sight
        self._client = client
        self._names = {
            mac(machine.name, nic.name): machine.name
            for machine in machines
            for nic in machine.blueprint.nics
        }
        self._pace = pace
        self._process: Process | None = None
        self._recorders = [_Recorder(machine, self.addresses) for machine in recorded]

    def __enter__(self) -> Self:
        for recorder in self._recorders:
            recorder.start()
        number = len(list(self._client.folder.glob("observation-*.log")))
        log = self._client.folder / f"observation-{number}.log"
        self._result = log.with_suffix(".json")
        plan = {
            "addresses": self.addresses,
            "nic": NIC,
            "mac": mac(CLIENT, NIC),
            "askers": ASKERS,
            "ask_every": self._pace.ask,
            "ping_every": self._pace.ping,
            "limit": self._pace.limit,
            "result": str(self._result),
        }
        file = log.with_suffix(".plan")
        file.write_text(json.dumps(plan))
        argv = [sys.executable, "-m", "lab.observer.process", str(file)]
        self._process = self._client.spawn(argv, log, {"PYTHONPATH": str(TESTS)})
        wait_for(self._has_started, "the observer starts", timeout=30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        code = process.wait(timeout=30)
        if kind is not None:
            for recorder in self._recorders:
                recorder.stop([])
            return
        if code != 0 or not self._result.exists():
            raise LabError(f"the observer failed: {_last_line(process)}")
        facts = json.loads(self._result.read_text())
        wished = wishes(facts["doubles"])
        traces = {r.name: r.stop(wished) for r in self._recorders}
        sight = Sight.read(self.addresses, facts, self._names)
        self.sight = sight.with_traces({n: t for n, t in traces.items() if t})

    def _has_started(self) -> bool:
        process = self._process
        if process and not process.is_running and "started" not in process.output():
            raise LabError(f"the observer failed: {_last_line(process)}")
        return bool(process and "started" in process.output())


class _Recorder:
    """A recorder in one machine."""

    def __init__(self, machine: Machine, addresses: Sequence[str]) -> None:
        self.name, self._machine, self._addresses = machine.name, machine, addresses
        self._process: Process | None = None

    def start(self) -> None:
        """Begin to record."""
        number = len(list(self._machine.folder.glob("recorder-*.log")))
        log = self._machine.folder / f"recorder-{number}.log"
        self._wishes, self._result = log.with_suffix(".wishes"), log.with_suffix(".json")
        plan = {
            "addresses": list(self._addresses),
            "nic": NIC,
            "askers": ASKERS,
            "wishes": str(self._wishes),
            "result": str(self._result),
        }
        file = log.with_suffix(".plan")
        file.write_text(json.dumps(plan))
        argv = [sys.executable, "-m", "lab.observer.recorder", str(file)]
        process = self._machine.spawn(argv, log, {"PYTHONPATH": str(TESTS)})
        wait_for(lambda: "started" in process.output(), "a recorder starts", timeout=30)
        self._process = process

    def stop(self, wished: Sequence[Wish]) -> list[list[float | None]]:
        """End; what it knows of these, empty when it has died with its machine."""
        if self._process is None or not self._process.is_running:
            return []
        if wished:
            self._wishes.write_text(json.dumps(wished))
        self._process.terminate()
        self._process.wait(timeout=30)
        if not wished or not self._result.exists():
            return []
        found: list[list[float | None]] = json.loads(self._result.read_text())
        return found


def _last_line(process: Process) -> str:
    return " ".join(process.output().strip().splitlines()[-1:])
