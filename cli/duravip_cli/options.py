"""What each verb takes on the command line."""

import argparse

from duravip_cli.views.objects import SYSTEM_NAMESPACE


def show(parser: argparse.ArgumentParser) -> None:
    """What `show` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME", help="default: all")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")


def address(parser: argparse.ArgumentParser) -> None:
    """One address."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")


def nodes(parser: argparse.ArgumentParser) -> None:
    """Any number of nodes."""
    parser.add_argument("what", nargs="*", metavar="NODE", help="default: all")


def groups(parser: argparse.ArgumentParser) -> None:
    """Any number of groups."""
    parser.add_argument("what", nargs="*", metavar="GROUP", help="default: all")


def drain(parser: argparse.ArgumentParser) -> None:
    """What `drain` takes."""
    parser.add_argument("node", metavar="NODE")
    _wait(parser, "show progress until the node is granted and serves nothing", 60)


def undrain(parser: argparse.ArgumentParser) -> None:
    """What `undrain` takes."""
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "--force", action="store_true", help="even if somebody else has drained it"
    )


def simulate(parser: argparse.ArgumentParser) -> None:
    """What `simulate` takes."""
    for option, metavar, does in (
        ("--fail", "NODE", "they lose power"),
        ("--drain", "NODE", "they are drained"),
        ("--apply", "FILE", "these manifests are applied"),
    ):
        parser.add_argument(
            option, action="extend", nargs="+", default=[], metavar=metavar, help=does
        )


def validate(parser: argparse.ArgumentParser) -> None:
    """What `validate` takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON, folders, or -")
    parser.add_argument("--live", action="store_true", help="also against what is in the cluster")


def doctor(parser: argparse.ArgumentParser) -> None:
    """What `doctor` takes."""
    parser.add_argument(
        "--system-namespace", default=SYSTEM_NAMESPACE, metavar="NS",
        help=f"where the operator's Leases are (default: {SYSTEM_NAMESPACE})",
    )  # fmt: skip
    parser.add_argument(
        "--node-local", action="store_true",
        help="only what concerns the machine that this runs on, with or without a cluster",
    )  # fmt: skip


def move(parser: argparse.ArgumentParser) -> None:
    """What `move` takes."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")
    parser.add_argument("node", nargs="?", metavar="NODE", help="where it shall be held")
    parser.add_argument("--cancel", action="store_true", help="hold it nowhere any more")
    _wait(parser, "wait until the node serves it", 30)


def release(parser: argparse.ArgumentParser) -> None:
    """What `release` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME")
    parser.add_argument("--group", metavar="G", help="all addresses of a binding group")
    parser.add_argument(
        "--from", "--node", dest="source", metavar="NODE",
        help="only those that this node owns; alone, or with --all: all of them",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every address of the node of --from")
    _wait(parser, "wait until each is served elsewhere", 30)


def announce(parser: argparse.ArgumentParser) -> None:
    """What `announce` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME", help="default: all")
    _wait(parser, "wait until the agents say that they have done it", 10)


def reset(parser: argparse.ArgumentParser) -> None:
    """What `reset` takes."""
    parser.add_argument("node", nargs="?", metavar="NODE")
    parser.add_argument("--all", action="store_true", help="every node")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    _wait(parser, "wait until everything is served again", 30)


def neighbours(parser: argparse.ArgumentParser) -> None:
    """What `neighbours` takes."""
    parser.add_argument("what", nargs="*", metavar="NODE", help="default: all")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS",
        help="for the agents to answer (default: 10)",
    )  # fmt: skip
    parser.set_defaults(wait=True)


def _wait(parser: argparse.ArgumentParser, does: str, seconds: int) -> None:
    parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True, help=does)
    parser.add_argument(
        "--timeout", type=float, default=float(seconds), metavar="SECONDS",
        help=f"of --wait (default: {seconds})",
    )  # fmt: skip
