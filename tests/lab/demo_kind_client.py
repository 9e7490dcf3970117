"""The demo's client where the cluster is kind's: a container that runs programs of the lab."""

import json
import shlex
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lab.errors import LabError
from lab.observer.observation import Pace
from lab.observer.results import Sight
from lab.processes import attempt, checked, environment, run
from lab.requests import Request, read

CLIENT: Final = "duravip-demo-client"
NETWORK: Final = "kind"
IMAGE: Final = "python:3.11-slim"
TESTS: Final = Path(__file__).parents[1]
RESULT: Final = "/tmp/result"  # noqa: S108 - the container's own
END: Final = "import os, signal; os.kill(int(open('/tmp/pid').read()), signal.SIGTERM)"
FETCH: Final = (
    "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=2).read().decode())"
)
NOBODY6: Final = ("fd00::1", "fd00::2")


class Program:
    """A program of the lab's in the container, from its start until `end`; one at a time."""

    def __init__(self, *words: str) -> None:
        shell = f"echo $$ > /tmp/pid; exec python -m {shlex.join(words)}"
        self._process = subprocess.Popen(
            ["docker", "exec", CLIENT, "sh", "-c", shell],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if said != "started\n":
            raise LabError(f"{words[0]} failed: {said.strip()}")

    def end(self) -> str:
        """Let it end, and give what it has written to its result."""
        run(["docker", "exec", CLIENT, "python", "-c", END])
        said, _ = self._process.communicate(timeout=30)
        code = self._process.returncode
        checked(subprocess.CompletedProcess(["the client's program"], code, said, said))
        return run(["docker", "exec", CLIENT, "cat", RESULT])


class Requests:
    """See `lab.requests.Requests`."""

    def __init__(self, url: str, every: float, timeout: float = 1.0) -> None:
        self._plan = [url, str(every), str(timeout), RESULT]
        self.made: tuple[Request, ...] = ()

    def __enter__(self) -> Self:
        self._program = Program("lab.requests", *self._plan)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        result = self._program.end()
        if kind is None:
            self.made = read(result)


class Client:
    """`with` it, something happens to the addresses; after it, `sight` tells what was seen."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self._addresses: tuple[str, ...] = ()
        self._names: dict[str, str] = {}
        self.sight: Sight

    def start(self) -> None:
        """Start the container."""
        rights = ["--cap-add=NET_ADMIN", "--cap-add=NET_RAW", "--cap-add=SYS_NICE"]
        code = [f"--volume={TESTS}:/tests:ro", "--env=PYTHONPATH=/tests"]
        where = [f"--name={CLIENT}", f"--network={NETWORK}"]
        argv = ["docker", "run", "--detach", *where, *rights, *code, IMAGE, "sleep", "infinity"]
        run(argv, timeout=300)

    def fetch(self, url: str) -> str:
        """What a server says to it; empty: nothing."""
        return attempt(["docker", "exec", CLIENT, "python", "-c", FETCH, url]).stdout.strip()

    def looking_at(self, addresses: Sequence[str]) -> Self:
        """Choose what to observe."""
        self._addresses = tuple(addresses)
        return self

    def __enter__(self) -> Self:
        self._names = self._macs()
        plan = json.dumps(self._plan())
        run(["docker", "exec", "--interactive", CLIENT, "sh", "-c", "cat > /tmp/plan"], plan)
        self._program = Program("lab.observer.process", "/tmp/plan")  # noqa: S108
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        result = self._program.end()
        if kind is None:
            known = self._names | self._macs()
            self.sight = Sight.read(self._addresses, json.loads(result), known)

    def _plan(self) -> dict[str, Any]:
        card = _card(CLIENT)
        own = IPv4Interface(f"{card['IPAddress']}/{card['IPPrefixLen']}")
        nobody = str(own.network.broadcast_address - 1)
        pace = Pace.finest(len(self._addresses))
        return {
            "addresses": self._addresses,
            "nic": "eth0",
            "mac": card["MacAddress"],
            "askers": list(zip((str(own.ip), nobody), NOBODY6, strict=True)),
            "ask_every": pace.ask,
            "ping_every": pace.ping,
            "limit": pace.limit,
            "result": RESULT,
        }

    def _macs(self) -> dict[str, str]:
        """Nodes by MAC; one that is off has none, and may have another one when it is back."""
        return {mac: node for node in self._nodes if (mac := _card(node)["MacAddress"])}


def _card(container: str) -> dict[str, Any]:
    shown = run(["docker", "inspect", container])
    return dict(json.loads(shown)[0]["NetworkSettings"]["Networks"][NETWORK])
