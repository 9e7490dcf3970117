"""The demo's client where the cluster is kind's: a container that runs the lab's observer."""

import json
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lab.errors import LabError
from lab.observer.observation import Pace
from lab.observer.results import Sight
from lab.processes import checked, environment, run

CLIENT: Final = "duravip-demo-client"
NETWORK: Final = "kind"
IMAGE: Final = "python:3.11-slim"
TESTS: Final = Path(__file__).parents[1]
OBSERVE: Final = "echo $$ > /tmp/pid; exec python -m lab.observer.process /tmp/plan"
END: Final = "import os, signal; os.kill(int(open('/tmp/pid').read()), signal.SIGTERM)"
NOBODY6: Final = ("fd00::1", "fd00::2")


class Client:
    """`with` it, something happens to the addresses; after it, `sight` tells what was seen."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self._addresses: tuple[str, ...] = ()
        self._process: subprocess.Popen[str]
        self._names: dict[str, str] = {}
        self.sight: Sight

    def start(self) -> None:
        """Start the container."""
        rights = ["--cap-add=NET_ADMIN", "--cap-add=NET_RAW", "--cap-add=SYS_NICE"]
        code = [f"--volume={TESTS}:/tests:ro", "--env=PYTHONPATH=/tests"]
        where = [f"--name={CLIENT}", f"--network={NETWORK}"]
        argv = ["docker", "run", "--detach", *where, *rights, *code, IMAGE, "sleep", "infinity"]
        run(argv, timeout=300)

    def looking_at(self, addresses: Sequence[str]) -> Self:
        """Choose what to observe."""
        self._addresses = tuple(addresses)
        return self

    def __enter__(self) -> Self:
        self._names = self._macs()
        plan = json.dumps(self._plan())
        run(["docker", "exec", "--interactive", CLIENT, "sh", "-c", "cat > /tmp/plan"], plan)
        self._process = subprocess.Popen(
            ["docker", "exec", CLIENT, "sh", "-c", OBSERVE],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if said != "started\n":
            raise LabError(f"the observer failed: {said.strip()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run(["docker", "exec", CLIENT, "python", "-c", END])
        said, _ = self._process.communicate(timeout=30)
        if kind is not None:
            return
        checked(subprocess.CompletedProcess(["observer"], self._process.returncode, said, said))
        facts = json.loads(run(["docker", "exec", CLIENT, "cat", "/tmp/result"]))  # noqa: S108
        self.sight = Sight.read(self._addresses, facts, self._names | self._macs())

    def _plan(self) -> dict[str, Any]:
        card = _card(CLIENT)
        own = IPv4Interface(f"{card['IPAddress']}/{card['IPPrefixLen']}")
        nobody = str(own.network.broadcast_address - 1)
        pace = Pace.for_count(len(self._addresses))
        return {
            "addresses": self._addresses,
            "nic": "eth0",
            "mac": card["MacAddress"],
            "askers": list(zip((str(own.ip), nobody), NOBODY6, strict=True)),
            "ask_every": pace.ask,
            "ping_every": pace.ping,
            "limit": pace.limit,
            "result": "/tmp/result",  # noqa: S108 - the container's own
        }

    def _macs(self) -> dict[str, str]:
        """Nodes by MAC; one that is off has none, and may have another one when it is back."""
        return {mac: node for node in self._nodes if (mac := _card(node)["MacAddress"])}


def _card(container: str) -> dict[str, Any]:
    shown = run(["docker", "inspect", container])
    return dict(json.loads(shown)[0]["NetworkSettings"]["Networks"][NETWORK])
