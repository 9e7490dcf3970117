"""An upgrade from an earlier commit to this one: which nodes fall silent, what a client loses.

    python -m lab.upgrade COMMIT [--first operators|agents]

The programs of that commit run on the nodes of a small lab, two operators and three agents. They
are replaced one by one, each when the one before is ready. Needs the commit in this repository.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from api.objects import apply, duravip, topology
from duravip_api import DRAINED, EXCLUDE_LABEL
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import PROGRAMS, Fleet, wait_until
from lab.machines import Machine
from lab.processes import Process

ROOT: Final = Path(__file__).parents[2]
ADDRESSES: Final = tuple(f"10.1.1.{number}" for number in range(1, 13))
KEY: Final = "a-key-that-older-versions-share\n"
MATURE_S: Final = 5.0
_SILENT: Final = re.compile(r"node (\S+) is silent")


def main() -> None:
    """Upgrade once, print what was seen; exit code 1 if a node or an address suffered."""
    parser = argparse.ArgumentParser("python -m lab.upgrade", description=__doc__)
    parser.add_argument("commit", help="the version that runs at first")
    parser.add_argument("--first", choices=("operators", "agents"), default="operators")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = _installed(arguments.commit, Path(folder))
        with Lab() as lab:
            faults = _upgrade(lab, before, arguments.first)
    for fault in faults:
        print(f"FAULT: {fault}")
    sys.exit(bool(faults))


def _installed(commit: str, folder: Path) -> Path:
    """The folder of the programs of that commit, in an environment of their own."""
    print(f"installing {commit}", flush=True)
    tree, environment = source_of(commit, folder / "tree"), folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [str(environment / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{tree}[operator,agent]"], check=True)
    return environment / "bin"


def source_of(commit: str, folder: Path) -> Path:
    """Write the files of that commit into a new folder, which is given; LabError without it."""
    git = ["git", "-C", str(ROOT), "archive", commit]
    archive = subprocess.run(git, capture_output=True, check=False)
    if archive.returncode:
        why = archive.stderr.decode().strip()
        raise LabError(f"commit {commit} is not in this repository: {why}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def _upgrade(lab: Lab, before: Path, first: str) -> list[str]:
    fleet = Fleet(lab, before)
    key = lab.layout.home / "pulse.key"
    key.write_text(KEY)
    old = f"--pulse-key-file={key}"
    for machine in ("n1", "n2"):
        fleet.start_operator(machine, old, mature=MATURE_S)
    for node in lab.nodes:
        fleet.start_agent(node.name, old)
    apply(lab, [topology(), *(duravip(f"vip-{a.rpartition('.')[2]}", a) for a in ADDRESSES)])
    try:
        wait_until(lambda: all(fleet.owners().values()), "every address has an owner")
    except LabError:
        for process in (*fleet.operators.values(), *fleet.agents.values()):
            print(process.output()[-2000:])
        raise
    planned = _planned_move(lab, fleet)
    print(f"a planned move within the old version: {1000 * planned:.0f} ms at most", flush=True)

    fleet.programs = PROGRAMS
    steps: dict[str, Callable[[], set[str]]] = {
        "operators": lambda: _replace_operators(lab, fleet, old),
        "agents": lambda: _replace_agents(lab, fleet, old),
    }
    order = [first, *(step for step in steps if step != first)]
    with lab.observe(ADDRESSES) as seen:
        silent = {step: steps[step]() for step in order}
        time.sleep(MATURE_S)
    worst = seen.sight.worst_gap()
    print(
        f"{' then '.join(order)}: worst gap {1000 * worst:.0f} ms, observer late by at most "
        f"{1000 * seen.sight.late:.0f} ms, two answers {seen.sight.double_owners} times"
    )
    faults = [
        f"{n} fell silent while {step} were replaced" for step in order for n in silent[step]
    ]
    if seen.sight.double_owners:
        faults.append(f"two machines answered {seen.sight.double_owners} times")
    if worst > planned + seen.sight.late:
        faults.append(f"an address was lost for {worst:.3f} s, in a planned move {planned:.3f} s")
    return faults


def _planned_move(lab: Lab, fleet: Fleet) -> float:
    """The longest gap, in seconds, when the addresses of each node move away: it is drained.

    As many moves as an upgrade makes, so that the longest of these is what an upgrade may take.
    """
    with lab.observe(ADDRESSES) as seen:
        for node in lab.nodes:
            lab.kubectl("label", "node", node.name, f"{EXCLUDE_LABEL}={DRAINED}")
            wait_until(_holds_nothing(fleet, node.name), f"{node.name} is drained")
            lab.kubectl("label", "node", node.name, f"{EXCLUDE_LABEL}-")
            time.sleep(MATURE_S)
    return seen.sight.worst_gap()


def _holds_nothing(fleet: Fleet, node: str) -> Callable[[], bool]:
    return lambda: node not in fleet.owners().values()


def _replace_operators(lab: Lab, fleet: Fleet, *options: str) -> set[str]:
    """Those nodes that an operator, former or new, called silent meanwhile."""
    silent_since = _watch_logs([*fleet.operators.values()])
    for name, former in list(fleet.operators.items()):
        former.terminate()
        former.wait()
        fleet.start_operator(name, *options, mature=MATURE_S)
        _wait_until_ready(lab.machines[name], 9480)
        print(f"operator on {name} replaced", flush=True)
    return silent_since()


def _replace_agents(lab: Lab, fleet: Fleet, *options: str) -> set[str]:
    """Those nodes that an operator called silent although their agent was not in its turn."""
    silent: set[str] = set()
    for name, former in list(fleet.agents.items()):
        silent_since = _watch_logs([*fleet.operators.values()])
        former.terminate()
        former.wait()
        fleet.start_agent(name, *options)
        _wait_until_ready(lab.machines[name], 9481)
        time.sleep(MATURE_S)
        silent |= silent_since() - {name}
        print(f"agent on {name} replaced", flush=True)
    return silent


def _watch_logs(operators: Sequence[Process]) -> Callable[[], set[str]]:
    """Gives what tells the nodes that these operators have called silent from now on.

    A successor on the same machine writes to the same log, and is heard as well.
    """
    lengths = [len(operator.output()) for operator in operators]

    def silent_since() -> set[str]:
        news = (o.output()[length:] for o, length in zip(operators, lengths, strict=True))
        return {node for log in news for node in _SILENT.findall(log)}

    return silent_since


def _wait_until_ready(machine: Machine, port: int) -> None:
    wait_until(lambda: _is_ready(machine, port), f"{machine.name} is ready on port {port}")


def _is_ready(machine: Machine, port: int) -> bool:
    program = (
        "import sys, urllib.request as r\n"
        f"sys.exit(r.urlopen('http://127.0.0.1:{port}/readyz', timeout=2).status != 200)"
    )
    try:
        machine.run([sys.executable, "-c", program])
    except LabError:
        return False
    return True


if __name__ == "__main__":
    main()
