"""The verbs as the command line offers them; what they do is in `verbs`, imported when needed."""

import argparse
from typing import Final

from duravip_cli.arguments import Verb

_WIDE: Final = ("json", "wide")
_JSON: Final = ("json",)
SYSTEM_NAMESPACE: Final = "duravip-system"


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME", help="default: all")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")


def _address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")


def _nodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="NODE", help="default: all")


def _groups(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="GROUP", help="default: all")


def _drain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True,
        help="show progress until the node is granted and serves nothing",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="of --wait (default: 60)"
    )


def _undrain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "--force", action="store_true", help="even if somebody else has drained it"
    )


def _simulate(parser: argparse.ArgumentParser) -> None:
    for option, metavar, does in (
        ("--fail", "NODE", "they lose power"),
        ("--drain", "NODE", "they are drained"),
        ("--apply", "FILE", "these manifests are applied"),
    ):
        parser.add_argument(
            option, action="extend", nargs="+", default=[], metavar=metavar, help=does
        )


def _validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON, folders, or -")
    parser.add_argument("--live", action="store_true", help="also against what is in the cluster")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--system-namespace", default=SYSTEM_NAMESPACE, metavar="NS",
        help=f"where the operator's Leases are (default: {SYSTEM_NAMESPACE})",
    )  # fmt: skip


VERBS: Final = {
    "show": Verb(
        "Show addresses: owner, state, flags, last move, and the objects on them",
        "What is shown is what the operator has written into the statuses.",
        (("show", "all addresses"), ("show 10.1.1.1 -o json", "one, for a program"),
         ("show -n mail -o wide", "those of one namespace, with the reasons")),
        _WIDE, _show,
    ),
    "why": Verb(
        "Explain one address: why each node is, or is not, its owner",
        "The election is computed here, by the operator's own code, from what the API server "
        "knows. Whom the operator hears is not in there: it is inferred, and the output says "
        "from what.",
        (("why 10.1.1.1", "every node's standing"), ("why mail/smtp-1", "by an object's name")),
        _JSON, _address,
    ),
    "history": Verb(
        "List what happened to one address, the oldest first",
        "Taken from Events, which the API server forgets after an hour, and the last move, "
        "which it does not.",
        (("history 10.1.1.1", "its changes of owner"),),
        _JSON, _address,
    ),
    "nodes": Verb(
        "Show nodes: what they are granted and serve, what failed, and their interfaces", "",
        (("nodes", "all nodes"), ("nodes n1 -o wide", "one, with what failed, word for word")),
        _WIDE, _nodes,
    ),
    "groups": Verb(
        "Show binding groups, and the nodes that no binding of the group prefers",
        "For mail that leaves from every node, each group needs a preferred binding on each.",
        (("groups", "all groups"), ("groups -n mail", "those of one namespace")),
        _JSON, _groups,
    ),
    "drain": Verb(
        "Take a node out: its addresses move away, and it gets none",
        "Sets the label node.kubernetes.io/exclude-from-external-load-balancers on the Node, "
        "which other load balancers heed as well.",
        (("drain n1", "and wait until it holds nothing"),
         ("drain n1 --no-wait", "only set the label")),
        _JSON, _drain,
    ),
    "undrain": Verb(
        "Put a drained node back",
        "Preferred addresses return at once. Refused when the label was not set by `drain`.",
        (("undrain n1", "the reverse of drain"),
         ("undrain n1 --force", "whoever has set the label")),
        _JSON, _undrain,
    ),
    "simulate": Verb(
        "Tell which addresses would move, and where, if something happened",
        "Nothing is changed. The operator's own election is run on the cluster as it is. Ends "
        "with 1 when an address that has an owner would have none.",
        (("simulate --fail n1", "if n1 lost power"),
         ("simulate --drain n1 n2", "if both were drained"),
         ("simulate --apply new.yaml", "if these manifests were applied")),
        _JSON, _simulate,
    ),
    "validate": Verb(
        "Check manifests before they are applied",
        "Without --live no cluster is needed. One line a problem; a warning does not count. "
        "Ends with 1 when there is a problem.",
        (("validate vips/", "every manifest of a folder"),
         ("validate --live new.yaml", "also against the cluster")),
        _JSON, _validate,
    ),
    "doctor": Verb(
        "Check that DuraVIP is well: kinds, operator, agents, addresses",
        "Ends with 1 when a line says FAIL.",
        (("doctor", "everything"), ("doctor --system-namespace vips", "installed elsewhere")),
        _JSON, _doctor,
    ),
}  # fmt: skip
