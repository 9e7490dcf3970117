"""The lab's command line, for people: `python -m lab --help`."""

import argparse
import os
import sys
from collections.abc import Sequence

from lab import programs, requirements, teardown
from lab.cluster import PROXIES, SIZES, Lab
from lab.errors import LabError
from lab.layout import Layout
from lab.processes import environment

DEFAULT = "lab"
EXAMPLES = """examples:
  python -m lab up                       three bare nodes, etcd and the API server
  python -m lab kubectl get nodes
  python -m lab exec n1 -- ip addr show eth1
  python -m lab crash n2                 cut its power; power-on n2 brings it back
  python -m lab cable n1 eth1 down
  python -m lab cut n1 control           like a failed switch: its card sees nothing
  python -m lab down
"""


def up(options: argparse.Namespace) -> None:
    """Start a lab that stays until `down`."""
    lab = Lab(options.size, options.nodes, options.name, _say, options.proxy)
    lab.start()
    lab.release()
    print(f"lab {lab.name} is up: export KUBECONFIG={lab.kubeconfig}")


def down(options: argparse.Namespace) -> None:
    """End a lab, whoever started it, and whatever is left of it."""
    for name in teardown.known() if options.all else [options.name]:
        teardown.tear_down(Layout(name))


def status(_options: argparse.Namespace) -> None:
    """List the labs and their machines."""
    for name in teardown.known():
        try:
            lab = Lab.attach(name)
        except LabError:
            print(f"{name}: starting, or left behind by a run that was killed")
            continue
        machines = (f"{m.name} {'on' if m.is_on else 'off'}" for m in lab.machines.values())
        print(f"{name} ({lab.size}): {', '.join(machines)}; KUBECONFIG={lab.kubeconfig}")


def build(_options: argparse.Namespace) -> None:
    """Build the programs of Kubernetes, unless they are built."""
    for size in ("full", "mail", "images", "page"):
        requirements.ensure(size, _say)
    print(programs.build(_say))


def execute(options: argparse.Namespace) -> None:
    """Become a command in a machine."""
    argv = Lab.attach(options.name).machines[options.machine].entering(options.command)
    os.execvpe(argv[0], argv, environment())  # noqa: S606 (its terminal and exit code are ours)


def shell(options: argparse.Namespace) -> None:
    """Become a shell in a machine."""
    options.command = [os.environ.get("SHELL", "/bin/bash")]
    execute(options)


def kubectl(options: argparse.Namespace) -> None:
    """Become kubectl as the administrator."""
    lab = Lab.attach(options.name)
    argv = [str(lab.programs / "kubectl"), f"--kubeconfig={lab.kubeconfig}", *options.command]
    os.execve(argv[0], argv, environment())  # noqa: S606 (the same)


def crash(options: argparse.Namespace) -> None:
    """Cut a machine's power."""
    Lab.attach(options.name).machines[options.machine].crash()


def power_on(options: argparse.Namespace) -> None:
    """Start a machine that has crashed."""
    lab = Lab.attach(options.name)
    machine = lab.machines[options.machine]
    if machine is lab.control_plane.machine:
        lab.control_plane.power_on()
    else:
        machine.power_on()


def freeze(options: argparse.Namespace) -> None:
    """Make all processes of a machine stand still."""
    Lab.attach(options.name).machines[options.machine].freeze()


def thaw(options: argparse.Namespace) -> None:
    """Let them go on."""
    Lab.attach(options.name).machines[options.machine].thaw()


def cable(options: argparse.Namespace) -> None:
    """Plug a cable in or out."""
    machine = Lab.attach(options.name).machines[options.machine]
    machine.cable(options.nic, up=options.position == "up")


def cut(options: argparse.Namespace) -> None:
    """Let nothing pass between a machine and a network."""
    Lab.attach(options.name).machines[options.machine].cut(options.network)


def mend(options: argparse.Namespace) -> None:
    """Undo a cut."""
    Lab.attach(options.name).machines[options.machine].mend(options.network)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        "python -m lab",
        description="A local Kubernetes cluster of Linux namespaces.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    verbs = (up, down, status, build, execute, shell, kubectl, crash, power_on, freeze, thaw)
    for verb in (*verbs, cable, cut, mend):
        name = {"execute": "exec"}.get(verb.__name__, verb.__name__.replace("_", "-"))
        text = verb.__doc__ or ""
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(verb=verb)
        command.add_argument("--name", default=DEFAULT, help=f"the lab's name ({DEFAULT})")
        _add_arguments(command, name)
    return top


def _add_arguments(command: argparse.ArgumentParser, name: str) -> None:
    if name == "up":
        command.add_argument("--size", choices=sorted(SIZES), default="api")
        command.add_argument("--nodes", type=int, default=3)
        command.add_argument("--proxy", choices=PROXIES, default="", help="of a full one")
    elif name == "down":
        command.add_argument("--all", action="store_true", help="every lab of this machine")
    elif name == "kubectl":
        command.add_argument("command", nargs=argparse.REMAINDER)
    elif name not in {"status", "build"}:
        command.add_argument("machine", help="cp, n1, n2, … or client")
    if name == "exec":
        command.add_argument("command", nargs="+", help="after --")
    elif name == "cable":
        command.add_argument("nic", choices=("eth0", "eth1", "eth2"))
        command.add_argument("position", choices=("up", "down"))
    elif name in {"cut", "mend"}:
        command.add_argument("network", choices=("control", "segment", "second"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what cannot be done ends in one line."""
    options = parser().parse_args(arguments)
    try:
        options.verb(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"lab: there is no machine {error} in it", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
