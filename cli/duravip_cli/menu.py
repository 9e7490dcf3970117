"""The verbs as the command line offers them; what they do is in `verbs`, imported when needed."""

from typing import Final

from duravip_cli import options
from duravip_cli.command_line import Verb

_WIDE: Final = ("json", "wide")
_JSON: Final = ("json",)


VERBS: Final = {
    "show": Verb(
        "Show addresses: owner, state, flags, last move, and the objects on them",
        "What is shown is what the operator has written into the statuses.",
        (("show", "all addresses"), ("show 10.1.1.1 -o json", "one, for a program"),
         ("show -n mail -o wide", "those of one namespace, with the reasons")),
        _WIDE, options.show,
    ),
    "why": Verb(
        "Explain one address: why each node is, or is not, its owner",
        "The election is computed here, by the operator's own code, from what the API server "
        "knows. Whom the operator hears is not in there: it is inferred, and the output says "
        "from what.",
        (("why 10.1.1.1", "every node's standing"), ("why mail/smtp-1", "by an object's name")),
        _JSON, options.address,
    ),
    "history": Verb(
        "List what happened to one address, the oldest first",
        "Taken from Events, which the API server forgets after an hour, and the last move, "
        "which it does not.",
        (("history 10.1.1.1", "its changes of owner"),),
        _JSON, options.address,
    ),
    "nodes": Verb(
        "Show nodes: what they are granted and serve, what failed, and their interfaces", "",
        (("nodes", "all nodes"), ("nodes n1 -o wide", "one, with what failed, word for word")),
        _WIDE, options.nodes,
    ),
    "groups": Verb(
        "Show binding groups, and the nodes that no binding of the group prefers",
        "For mail that leaves from every node, each group needs a preferred binding on each.",
        (("groups", "all groups"), ("groups -n mail", "those of one namespace")),
        _JSON, options.groups,
    ),
    "drain": Verb(
        "Take a node out: its addresses move away, and it gets none",
        "Sets the label node.kubernetes.io/exclude-from-external-load-balancers on the Node, "
        "which other load balancers heed as well. Names the addresses that no other node may "
        "hold, before and after, and ends with 1 when there are any.",
        (("drain n1", "and wait until it holds nothing"),
         ("drain n1 --no-wait", "only set the label")),
        _JSON, options.drain,
    ),
    "undrain": Verb(
        "Put a drained node back",
        "Preferred addresses return at once. Refused when the label was not set by `drain`.",
        (("undrain n1", "the reverse of drain"),
         ("undrain n1 --force", "whoever has set the label")),
        _JSON, options.undrain,
    ),
    "move": Verb(
        "Move an address to a node, and hold it there until it leaves that node",
        "Written as an annotation on the oldest object of the address, so it asks for the right "
        "to patch that. Refused when a preference names another node, when the node may not hold "
        "the address, and for an address that follows another one.",
        (("move 10.1.1.1 n2", "and wait until n2 serves it; tells the gap"),
         ("move mail/smtp-1 n2 --no-wait", "only ask for it"),
         ("move --cancel 10.1.1.1", "it stays where it is, and may move again")),
        _JSON, options.move,
    ),
    "release": Verb(
        "Have addresses move away from their owners, which stay in service",
        "Another node is elected for each; followers go along. What prefers its owner, or has no "
        "other node, stays, and the answer says so: it then ends with 1. To take a node out of "
        "service, use `drain`.",
        (("release 10.1.1.1", "another node gets it"),
         ("release --group out -n mail", "all addresses of a binding group"),
         ("release --all --from n1", "all that n1 owns; so does --from n1 alone"),
         ("release --all --from n1 --no-wait -o json", "only ask for it; for a program")),
        _JSON, options.release,
    ),
    "announce": Verb(
        "Have nodes read everything anew, and announce their addresses on the segment",
        "For clients, switches or firewalls that still send to a former owner. Nothing moves; it "
        "may be repeated.",
        (("announce", "every node, all that it holds"),
         ("announce 10.1.1.1 mail/smtp-1", "these two, by their owners")),
        _JSON, options.announce,
    ),
    "reset": Verb(
        "Have a node unplumb everything, and take anew what it is granted",
        "Its addresses are silent for a moment: so it asks for confirmation. Nothing moves to "
        "another node.",
        (("reset n1", "asks first"), ("reset n1 --yes", "does not"),
         ("reset --all --yes", "every node at the same time")),
        _JSON, options.reset,
    ),
    "neighbours": Verb(
        "List the hosts that the nodes' kernels know on their segments",
        "The agents are asked for it, and leave the answer in their NodePlumbings for a minute. "
        "OURS names the node that a host is, and marks addresses of DuraVIP.",
        (("neighbours", "those of every node"), ("neighbours n1 -o json", "one node's")),
        _JSON, options.neighbours,
    ),
    "simulate": Verb(
        "Tell which addresses would move, and where, if something happened",
        "Nothing is changed. The operator's own election is run on the cluster as it is, without "
        "manifests that its admission would refuse. Ends with 1 when there are any, or when an "
        "address that has an owner would have none.",
        (("simulate --fail n1", "if n1 lost power"),
         ("simulate --drain n1 n2", "if both were drained"),
         ("simulate --apply new.yaml", "if these manifests were applied")),
        _JSON, options.simulate,
    ),
    "validate": Verb(
        "Check manifests before they are applied",
        "Each file is judged as the operator's admission would judge it, beside those before it; "
        "then all of them together. Without --live no cluster is needed, and none is looked at. "
        "One line a problem; a warning does not count. Ends with 1 when there is a problem.",
        (("validate vips/", "every manifest of a folder"),
         ("validate --live new.yaml", "also against the cluster")),
        _JSON, options.validate,
    ),
    "doctor": Verb(
        "Check that DuraVIP is well: kinds, operator, agents, addresses, and this node",
        "On a node also: kernel, nftables, ARP settings, kube-proxy, ports. Ends with 1 when a "
        "line says FAIL.",
        (("doctor", "everything"), ("doctor --system-namespace vips", "installed elsewhere"),
         ("doctor --node-local", "on a node, as root: the node alone")),
        _JSON, options.doctor,
    ),
}  # fmt: skip
