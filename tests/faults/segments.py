"""A segment between the nodes that loses questions, or lets none through; the client's is fine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab.cluster import Lab
from lab.layout import SWITCH
from lab.processes import run

LOSSY = """
define nodes = {{ {ports} }}
table bridge lossy {{
    chain forward {{
        type filter hook forward priority 0
        iifname $nodes oifname $nodes ether type arp numgen random mod 100 <= {last} drop
    }}
}}
"""


def _ports(lab: Lab) -> list[str]:
    return [f"{node.name}-eth1" for node in lab.nodes]


@contextmanager
def lossy(lab: Lab, percent: int) -> Iterator[None]:
    """Let so much of the ARP between nodes be lost meanwhile, each frame by chance."""
    rules = LOSSY.format(ports=", ".join(_ports(lab)), last=percent - 1)
    _in_switch(lab, ["nft", "-f", "-"], rules)
    try:
        yield
    finally:
        _in_switch(lab, ["nft", "delete", "table", "bridge", "lossy"])


def isolate(lab: Lab) -> None:
    """Let no node's port reach another node's, as private VLANs do."""
    for port in _ports(lab):
        _in_switch(lab, ["bridge", "link", "set", "dev", port, "isolated", "on"])


def _in_switch(lab: Lab, argv: Sequence[str], text: str | None = None) -> None:
    where = lab.layout.namespace_file(SWITCH)
    run(["nsenter", f"--net={where}", *argv], text)
