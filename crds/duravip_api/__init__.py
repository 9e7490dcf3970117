"""The public kinds of DuraVIP, the words of their statuses and the format of a heartbeat."""

from typing import Final

GROUP: Final = "duravip.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
PLURALS: Final = {
    "DuraVIP": "duravips",
    "Binding": "vipbindings",
    "Topology": "topologies",
    "AddressPool": "addresspools",
    "NodePlumbing": "nodeplumbings",
}

EXCLUDE_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A Node that carries this label (with any value) holds no address."""

DRAINED: Final = "duravip"
"""The value that `kubectl duravip drain` gives it: that one counts whoever else sets it."""

MARK: Final = 86
"""IFA_PROTO of every address that an agent plumbs: nothing without it is ever changed."""
